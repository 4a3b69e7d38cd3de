// Content to pack, and content packed with gzip: what the tests of streams and of packed data sets share.
#pragma once

#include <cstddef>
#include <cstdint>

#include "polder/io/gzip.hpp"
#include "support/catch.hpp"

namespace polder::test {

inline io::bytes sample(std::size_t size) {
  io::bytes content(size);
  for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<std::uint8_t>((i * i) >> 5);
  return content;
}

inline io::bytes gzipped(io::byte_view content) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  io::bytes result(deflateBound(&stream, content.size()) + 64);
  stream.next_in = const_cast<Bytef*>(content.data());
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = result.data();
  stream.avail_out = static_cast<uInt>(result.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

}  // namespace polder::test
