#include "polder/compress/packing.hpp"

#include <bit>
#include <cstdint>
#include <vector>

#include "compress/support.hpp"
#include "polder/core/random.hpp"
#include "support/catch.hpp"

using namespace polder;
using namespace polder::test;

namespace {

/// The definition: bit j of number i is bit i bits + j of the stream, the lowest bit of a byte first.
byte_vector stream_of(const std::vector<std::uint64_t>& numbers, unsigned bits) {
  byte_vector stream((numbers.size() * bits + 7) / 8);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    for (unsigned j = 0; j < bits; ++j) {
      const std::size_t at = i * bits + j;
      if ((numbers[i] >> j & 1) != 0) stream[at / 8] |= std::byte{1} << (at % 8);
    }
  }
  return stream;
}

std::vector<std::uint64_t> random_numbers(std::size_t count, unsigned bits) {
  random_stream random({.seed = count * 100 + bits});
  std::vector<std::uint64_t> numbers(count);
  for (std::uint64_t& number : numbers) number = random.bits64() >> (64 - bits);
  return numbers;
}

}  // namespace

TEST_CASE("blocks of small numbers are packed bit by bit and come back", "[packing]") {
  for (unsigned bits = 1; bits <= 8; ++bits) {
    for (std::size_t count = 1; count <= detail::codec_block; ++count) {
      const auto numbers = random_numbers(count, bits);
      std::uint8_t block[detail::codec_block];
      for (std::uint8_t& unused : block) unused = 0xFF;
      for (std::size_t i = 0; i < count; ++i) block[i] = static_cast<std::uint8_t>(numbers[i]);
      const byte_vector expected = stream_of(numbers, bits);
      byte_vector packed(expected.size());
      REQUIRE(detail::packed_bytes(count, bits) == expected.size());
      REQUIRE(detail::pack_block(block, count, bits, packed.data()) == packed.data() + packed.size());
      REQUIRE(packed == expected);
      std::uint8_t back[detail::codec_block];
      REQUIRE(detail::unpack_block(packed.data(), count, bits, back));
      for (std::size_t i = 0; i < count; ++i) REQUIRE(back[i] == numbers[i]);
      if (count * bits % 8 != 0) {
        packed.back() |= std::byte{0x80};
        REQUIRE_FALSE(detail::unpack_block(packed.data(), count, bits, back));
      }
    }
  }
}

TEST_CASE("offsets of any width are written bit by bit and come back", "[packing]") {
  for (unsigned bits = 1; bits <= 56; ++bits) {
    for (const std::size_t count : {1u, 2u, 7u, 8u, 9u, 33u}) {
      const auto numbers = random_numbers(count, bits);
      const byte_vector expected = stream_of(numbers, bits);
      byte_vector written(expected.size(), std::byte{0xA5});
      detail::bit_writer writer(written.data());
      for (const std::uint64_t number : numbers) writer.put(number, bits);
      writer.finish();
      REQUIRE(written == expected);
      detail::bit_reader reader(written.data());
      for (const std::uint64_t number : numbers) REQUIRE(reader.get(bits) == number);
      REQUIRE(reader.clean());
    }
  }
  const byte_vector dirty{std::byte{0x85}};
  detail::bit_reader reader(dirty.data());
  CHECK(reader.get(3) == 5);
  CHECK_FALSE(reader.clean());
}
