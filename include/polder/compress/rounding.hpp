// polder — the random bits of stochastic rounding, a block at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "polder/compress/tensors.hpp"
#include "polder/core/config.hpp"
#include "polder/core/random.hpp"

namespace polder::detail {

/// 16 random bits for each of the codec_block numbers of block `block`: number j takes half j / 64 (0: the lower) of
/// word (j / 16) mod 4 of random_words(key, 16 block + j mod 16). So 16 generators run side by side in vector registers
/// and their words are used as they come.
POLDER_INLINE void fill_rounding_bits(const random_key& key, std::uint64_t block, std::uint32_t* bits) {
  constexpr std::size_t lanes = 16;
  static_assert(codec_block == 8 * lanes);
  const std::array<std::uint32_t, 2> seed{
      static_cast<std::uint32_t>(key.seed),
      static_cast<std::uint32_t>(key.seed >> 32) ^ (static_cast<std::uint32_t>(key.purpose) << 24)};
  // a counter word in 64 bits: so that a product is one multiplication of the vector's lanes
  std::uint64_t c0[lanes], c1[lanes], c2[lanes], c3[lanes];
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    const std::uint64_t index = block * lanes + lane;
    c0[lane] = static_cast<std::uint32_t>(index);
    c1[lane] = static_cast<std::uint32_t>((index >> 32) & 0xFFFFu) | (key.edge << 16);
    c2[lane] = static_cast<std::uint32_t>(key.step);
    c3[lane] = static_cast<std::uint32_t>((key.step >> 32) & 0xFFu) | (key.worker << 8);
  }
  std::uint32_t k0 = seed[0], k1 = seed[1];
  for (int round = 0; round < 10; ++round) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * static_cast<std::uint32_t>(c0[lane]);
      const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * static_cast<std::uint32_t>(c2[lane]);
      c0[lane] = (product1 >> 32) ^ c1[lane] ^ k0;
      c1[lane] = product1 & 0xFFFFFFFFu;
      c2[lane] = (product0 >> 32) ^ c3[lane] ^ k1;
      c3[lane] = product0 & 0xFFFFFFFFu;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    bits[lane] = static_cast<std::uint32_t>(c0[lane] & 0xFFFFu);
    bits[lane + lanes] = static_cast<std::uint32_t>(c1[lane] & 0xFFFFu);
    bits[lane + 2 * lanes] = static_cast<std::uint32_t>(c2[lane] & 0xFFFFu);
    bits[lane + 3 * lanes] = static_cast<std::uint32_t>(c3[lane] & 0xFFFFu);
    bits[lane + 4 * lanes] = static_cast<std::uint32_t>(c0[lane] >> 16);
    bits[lane + 5 * lanes] = static_cast<std::uint32_t>(c1[lane] >> 16);
    bits[lane + 6 * lanes] = static_cast<std::uint32_t>(c2[lane] >> 16);
    bits[lane + 7 * lanes] = static_cast<std::uint32_t>(c3[lane] >> 16);
  }
}

}  // namespace polder::detail
