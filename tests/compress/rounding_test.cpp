#include "polder/compress/rounding.hpp"

#include <cstdint>

#include "polder/core/random.hpp"
#include "support/catch.hpp"

using namespace polder;

TEST_CASE("the rounding bits are halves of the stream's words, in the documented order", "[rounding]") {
  const random_key key{.seed = 0x123456789ABCDEFu,
                       .purpose = purpose::rounding,
                       .step = (1ull << 39) + 77,
                       .worker = 0xABCDEF,
                       .edge = 0xBEEF};
  for (const std::uint64_t block :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 30, std::uint64_t{1} << 43}) {
    std::uint32_t bits[detail::codec_block];
    detail::fill_rounding_bits(key, block, bits);
    for (std::size_t j = 0; j < detail::codec_block; ++j) {
      const std::uint32_t word = random_words(key, block * 16 + j % 16)[j / 16 % 4];
      CHECK(bits[j] == (j < 64 ? word & 0xFFFFu : word >> 16));
    }
  }
}
