// polder — random words by the block: sixteen generators side by side in the processor's vector registers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__) && !defined(__CUDACC__)
#define POLDER_LOW_HALF_PRODUCTS 1
#include "polder/ops/intrinsics.hpp"
#endif

#include "polder/core/config.hpp"
#include "polder/core/random.hpp"

namespace polder::detail {

#if defined(__AVX512F__)
inline constexpr std::size_t wide_bytes = 64;
#elif defined(__AVX2__)
inline constexpr std::size_t wide_bytes = 32;
#else
inline constexpr std::size_t wide_bytes = 16;
#endif
typedef std::uint64_t wide_words __attribute__((vector_size(wide_bytes)));

/// The products of the lower halves of the words. The processors have an instruction for that; the compilers take two to
/// eight.
[[nodiscard]] POLDER_INLINE wide_words multiply_low_halves(wide_words a, wide_words b) {
#if !defined(POLDER_LOW_HALF_PRODUCTS)
  return (a & 0xFFFFFFFFu) * (b & 0xFFFFFFFFu);
#elif defined(__AVX512F__)
  return reinterpret_cast<wide_words>(_mm512_mul_epu32(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<wide_words>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#else
  return reinterpret_cast<wide_words>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#endif
}

/// Indices of a random stream whose words are made together, and how many words that are.
inline constexpr std::size_t random_lanes = 16;
inline constexpr std::size_t random_block = 4 * random_lanes;

/// The random words of a key, a block at a time.
///
/// A counter word of Philox stands in 64 bits, whose upper half is not looked at: so a product is one multiplication of
/// the register's lanes, and its lower half the next word as it is.
class random_blocks {
 public:
  random_blocks(const random_key& key)
      : counter1_(key.edge << 16),
        counter2_(static_cast<std::uint32_t>(key.step)),
        counter3_(static_cast<std::uint32_t>((key.step >> 32) & 0xFFu) | (key.worker << 8)) {
    auto even = static_cast<std::uint32_t>(key.seed);
    auto odd = static_cast<std::uint32_t>(key.seed >> 32) ^ (static_cast<std::uint32_t>(key.purpose) << 24);
    for (std::size_t round = 0; round < rounds; ++round) {
      keys_[2 * round] = even;
      keys_[2 * round + 1] = odd;
      even += 0x9E3779B9u;
      odd += 0xBB67AE85u;
    }
  }

  /// words[16 w + lane] = random_words(key, 16 block + lane)[w], for all random_block of them.
  POLDER_INLINE void fill(std::uint64_t block, std::uint32_t* words) const {
    constexpr std::size_t width = wide_bytes / sizeof(std::uint64_t);
    constexpr std::size_t registers = 2;  // at a time: what a word takes, times four words, has to stay in registers
    constexpr std::size_t group = registers * width;
    static_assert(random_lanes % group == 0);
    const wide_words factor0 = wide_words{} + std::uint64_t{0xD2511F53u};
    const wide_words factor1 = wide_words{} + std::uint64_t{0xCD9E8D57u};
    for (std::size_t first = 0; first < random_lanes; first += group) {
      wide_words c0[registers], c1[registers], c2[registers], c3[registers];
      for (std::size_t r = 0; r < registers; ++r) {
        std::uint64_t lane[width];  // constants: what the processor stores and reads again at once, it waits for
        for (std::size_t i = 0; i < width; ++i) lane[i] = first + r * width + i;
        std::memcpy(&c0[r], lane, sizeof lane);
        c0[r] += block * random_lanes;
        c1[r] = ((c0[r] >> 32) & 0xFFFFu) | counter1_;
        c2[r] = wide_words{} + counter2_;
        c3[r] = wide_words{} + counter3_;
      }
#if defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__)
#pragma GCC unroll 10
#endif
      for (std::size_t round = 0; round < rounds; ++round) {
        for (std::size_t r = 0; r < registers; ++r) {
          const wide_words product0 = multiply_low_halves(c0[r], factor0);
          const wide_words product1 = multiply_low_halves(c2[r], factor1);
          c0[r] = (product1 >> 32) ^ c1[r] ^ keys_[2 * round];
          c1[r] = product1;
          c2[r] = (product0 >> 32) ^ c3[r] ^ keys_[2 * round + 1];
          c3[r] = product0;
        }
      }
      const auto put = [&](const wide_words(&counter)[registers], std::uint32_t* to) {
        std::uint64_t whole[group];
        std::memcpy(whole, counter, sizeof whole);
        for (std::size_t i = 0; i < group; ++i) to[i] = static_cast<std::uint32_t>(whole[i]);
      };
      put(c0, words + first);
      put(c1, words + first + random_lanes);
      put(c2, words + first + 2 * random_lanes);
      put(c3, words + first + 3 * random_lanes);
    }
  }

 private:
  static constexpr std::size_t rounds = 10;

  std::uint64_t keys_[2 * rounds];
  std::uint64_t counter1_;
  std::uint64_t counter2_;
  std::uint64_t counter3_;
};

}  // namespace polder::detail
