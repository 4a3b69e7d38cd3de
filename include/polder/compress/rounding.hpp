// polder — the random bits of stochastic rounding, a block at a time.
#pragma once

#include <cstddef>
#include <cstdint>

#include "polder/compress/random_words.hpp"
#include "polder/compress/tensors.hpp"
#include "polder/core/config.hpp"

namespace polder::detail {

/// 16 random bits for each of the codec_block numbers of block `block`: number j takes half j / 64 (0: the lower) of
/// word (j / 16) mod 4 of random_words(key, 16 block + j mod 16): the words as random_blocks makes them.
POLDER_INLINE void fill_rounding_bits(const random_blocks& random, std::uint64_t block, std::uint32_t* bits) {
  static_assert(codec_block == 2 * random_block);
  std::uint32_t words[random_block];
  random.fill(block, words);
  for (std::size_t i = 0; i < random_block; ++i) bits[i] = words[i] & 0xFFFFu;
  for (std::size_t i = 0; i < random_block; ++i) bits[i + random_block] = words[i] >> 16;
}

}  // namespace polder::detail
