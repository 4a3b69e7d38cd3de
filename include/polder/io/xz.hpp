// polder — xz streams, by liblzma where there is one: define POLDER_HAVE_LZMA in every file of the program and link
// with -llzma, as the component polder::lzma does. Without it, xz streams are refused with a sentence that says so.
#pragma once

#if defined(POLDER_HAVE_LZMA)
#include <lzma.h>
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "polder/core/error.hpp"
#include "polder/io/file.hpp"

namespace polder::io {

/// Whether the bytes begin as an xz stream does.
[[nodiscard]] inline bool is_xz(byte_view content) {
  constexpr std::uint8_t magic[] = {0xFD, '7', 'z', 'X', 'Z', 0};
  return content.size() >= std::size(magic) && std::ranges::equal(content.first(std::size(magic)), magic);
}

/// The memory that unpacking a stream may take beside its content: 128 MiB. `xz -9` makes streams that want 65 MiB.
inline constexpr std::uint64_t xz_memory_limit = std::uint64_t{1} << 27;

namespace detail {

[[noreturn]] inline void fail_without_lzma(std::string_view name) {
  fail<data_error>("'", name,
                   "' is an xz stream, and this program was built without liblzma, which reads them: unpack ",
                   "it with xz -d, or install liblzma (Debian: apt-get install liblzma-dev) and build again");
}

}  // namespace detail

#if defined(POLDER_HAVE_LZMA)

/// The unpacked content of an xz file: one or more streams, with zeros in fours behind each.
///
/// `name` is what the errors call it. Errors (data_error): not an xz stream, corrupt, truncated, a wrong check sum,
/// other bytes behind the end, more than `limit` bytes unpacked (a few packed bytes may claim a thousand times more),
/// more than xz_memory_limit wanted; without POLDER_HAVE_LZMA, any.
[[nodiscard]] inline bytes unpack_xz(byte_view packed, std::string_view name, std::size_t limit = default_size_limit) {
  require<data_error>(is_xz(packed), "'", name, "' is not an xz stream");
  lzma_stream stream = LZMA_STREAM_INIT;
  const auto start = [&] {
    require<data_error>(lzma_stream_decoder(&stream, xz_memory_limit, 0) == LZMA_OK, "liblzma cannot start to unpack '",
                        name, "'");
  };
  struct closer {
    lzma_stream* stream;
    ~closer() { lzma_end(stream); }
  } const close_at_end{&stream};
  start();

  constexpr std::size_t first_guess = std::size_t{1} << 16;
  // One byte more than allowed tells a stream that ends at the limit from one that goes on.
  const std::size_t most = std::max(limit, limit + 1);
  bytes content(std::min(most, std::max(first_guess, 4 * packed.size())));
  std::size_t used = 0;
  std::size_t produced = 0;
  for (;;) {
    stream.next_in = packed.data() + used;
    stream.avail_in = packed.size() - used;
    stream.next_out = content.data() + produced;
    stream.avail_out = content.size() - produced;
    const lzma_ret status = lzma_code(&stream, LZMA_RUN);
    used = packed.size() - stream.avail_in;
    produced = content.size() - stream.avail_out;
    require<data_error>(produced <= limit, "'", name, "' unpacks to more than the ", limit,
                        " bytes that are read at most");
    if (status == LZMA_STREAM_END) {
      while (packed.size() - used >= 4 && std::ranges::count(packed.subspan(used, 4), 0) == 4) used += 4;
      if (used == packed.size()) break;
      require<data_error>(is_xz(packed.subspan(used)), "'", name, "' has ", packed.size() - used,
                          " bytes behind the end of its xz stream that are no xz stream");
      start();
    } else {
      require<data_error>(status != LZMA_MEMLIMIT_ERROR && status != LZMA_MEM_ERROR, "'", name,
                          "' wants more than the ", xz_memory_limit >> 20,
                          " MiB of memory that unpacking may take: pack it with xz -9 or less");
      require<data_error>(status != LZMA_OPTIONS_ERROR, "'", name,
                          "' uses a filter that this liblzma does not know, or is a corrupt xz stream");
      require<data_error>(status == LZMA_OK || status == LZMA_BUF_ERROR, "'", name,
                          "' is a corrupt xz stream at packed byte ", used);
      require<data_error>(used < packed.size() || stream.avail_out == 0, "'", name,
                          "' is a truncated xz stream: it ends after ", packed.size(), " packed bytes");
    }
    if (produced == content.size()) content.resize(std::min(most, 2 * produced));
  }
  content.resize(produced);
  return content;
}

#else

[[nodiscard]] inline bytes unpack_xz(byte_view packed, std::string_view name, std::size_t = default_size_limit) {
  require<data_error>(is_xz(packed), "'", name, "' is not an xz stream");
  detail::fail_without_lzma(name);
}

#endif

}  // namespace polder::io
