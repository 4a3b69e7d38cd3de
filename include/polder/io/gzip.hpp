// polder — gzip streams, by zlib. The one header that needs it: link with -lz.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "polder/core/error.hpp"
#include "polder/io/file.hpp"

namespace polder::io {

/// Whether the bytes begin as a gzip stream does.
[[nodiscard]] inline bool is_gzip(byte_view content) {
  return content.size() >= 2 && content[0] == 0x1F && content[1] == 0x8B;
}

/// The unpacked content of a gzip stream of one or more members (RFC 1952).
///
/// `name` is what the errors call it. Errors (data_error): not a gzip stream, corrupt, truncated, a wrong check sum,
/// other bytes behind the end, more than `limit` bytes unpacked (a few packed bytes may claim a thousand times more).
[[nodiscard]] inline bytes inflate_gzip(byte_view packed, std::string_view name,
                                        std::size_t limit = default_size_limit) {
  require<data_error>(is_gzip(packed), "'", name, "' is not a gzip stream");
  z_stream stream{};
  require<data_error>(inflateInit2(&stream, 15 + 16) == Z_OK, "zlib cannot start to unpack '", name, "'");
  struct closer {
    z_stream* stream;
    ~closer() { inflateEnd(stream); }
  } const close_at_end{&stream};

  constexpr std::size_t chunk = std::size_t{1} << 30;  // zlib counts in 32 bits
  constexpr std::size_t first_guess = std::size_t{1} << 16;
  // One byte more than allowed tells a stream that ends at the limit from one that goes on.
  const std::size_t most = std::max(limit, limit + 1);
  bytes content(std::min(most, std::max(first_guess, 4 * packed.size())));
  std::size_t used = 0;
  std::size_t produced = 0;
  for (;;) {
    const std::size_t given = std::min(chunk, packed.size() - used);
    const std::size_t room = std::min(chunk, content.size() - produced);
    stream.next_in = const_cast<Bytef*>(packed.data() + used);  // zlib's interface predates const
    stream.avail_in = static_cast<uInt>(given);
    stream.next_out = content.data() + produced;
    stream.avail_out = static_cast<uInt>(room);
    const int status = inflate(&stream, Z_NO_FLUSH);
    used += given - stream.avail_in;
    produced += room - stream.avail_out;
    require<data_error>(produced <= limit, "'", name, "' unpacks to more than the ", limit,
                        " bytes that are read at most");
    if (status == Z_STREAM_END) {
      if (used == packed.size()) break;
      require<data_error>(is_gzip(packed.subspan(used)) && inflateReset(&stream) == Z_OK, "'", name, "' has ",
                          packed.size() - used, " bytes behind the end of its gzip stream that are no gzip stream");
    } else {
      require<data_error>(status == Z_OK || status == Z_BUF_ERROR, "'", name, "' is a corrupt gzip stream (",
                          stream.msg != nullptr ? stream.msg : "zlib gives no reason", ") at packed byte ", used);
      require<data_error>(used < packed.size() || stream.avail_out == 0, "'", name,
                          "' is a truncated gzip stream: it ends after ", packed.size(), " packed bytes");
    }
    if (produced == content.size()) content.resize(std::min(most, 2 * produced));
  }
  content.resize(produced);
  return content;
}

/// The content of a file, unpacked if it is a gzip stream; `limit` holds for the packed and the unpacked size.
[[nodiscard]] inline bytes read_maybe_gzip(const std::string& path, std::size_t limit = default_size_limit) {
  bytes content = read_file(path, limit);
  return is_gzip(content) ? inflate_gzip(content, path, limit) : content;
}

}  // namespace polder::io
