// polder — counter-based random numbers: a number is a function of what it is for, not of when it was drawn.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "polder/core/config.hpp"

namespace polder {

/// What a random number is for. Never renumber: a published seed must keep its meaning.
enum class purpose : std::uint32_t {
  initialization = 1,
  shuffle = 2,
  augmentation = 3,
  rounding = 4,
  selection = 5,
  partition = 6,
  probe = 7,
  test = 8,
  subspace = 9,
};

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011): ten rounds that
/// turn a 128-bit counter and a 64-bit key into 128 random bits.
[[nodiscard]] POLDER_HD constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                                          std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

/// Where a random stream stands apart from others: f(seed, purpose; step, worker, edge; index).
struct random_key {
  std::uint64_t seed = 0;
  polder::purpose purpose = polder::purpose::test;
  std::uint64_t step = 0;    ///< the low 40 bits count
  std::uint32_t worker = 0;  ///< the low 24 bits count
  std::uint32_t edge = 0;    ///< the low 16 bits count
};

/// Four random words for `index` of the stream `key`: the same on every machine, backend and number of threads.
/// Key: seed and purpose. Counter: index (48 bits), step (40 bits), worker (24 bits), edge (16 bits).
[[nodiscard]] POLDER_HD constexpr std::array<std::uint32_t, 4> random_words(const random_key& key,
                                                                            std::uint64_t index) {
  const auto low = static_cast<std::uint32_t>(key.seed);
  const auto high = static_cast<std::uint32_t>(key.seed >> 32);
  const std::array<std::uint32_t, 4> counter{
      static_cast<std::uint32_t>(index), static_cast<std::uint32_t>((index >> 32) & 0xFFFFu) | (key.edge << 16),
      static_cast<std::uint32_t>(key.step), static_cast<std::uint32_t>((key.step >> 32) & 0xFFu) | (key.worker << 8)};
  return philox4x32(counter, {low, high ^ (static_cast<std::uint32_t>(key.purpose) << 24)});
}

/// A whole number in [0, bound) without bias (Lemire's multiplication with rejection); `word()` gives 32 random bits.
template <class Word>
[[nodiscard]] std::uint64_t random_below(Word& word, std::uint64_t bound) {
  if (bound <= 1) return 0;
  if (bound <= 0xFFFFFFFFu) {
    const auto small = static_cast<std::uint32_t>(bound);
    std::uint64_t product = std::uint64_t{word()} * small;
    if (static_cast<std::uint32_t>(product) < small) {
      const std::uint32_t threshold = (0u - small) % small;
      while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t{word()} * small;
    }
    return product >> 32;
  }
  const auto wide = [&] {
    const std::uint64_t high = word();
    return (high << 32) | word();
  };
  const std::uint64_t limit = ~std::uint64_t{0} - (~std::uint64_t{0} % bound + 1) % bound;
  std::uint64_t bits = wide();
  while (bits > limit) bits = wide();
  return bits % bound;
}

/// A sequential reader of one stream, for the code that runs on the host and draws an unknown number of times
/// (shuffles, partitions). A model of std::uniform_random_bit_generator.
class random_stream {
 public:
  using result_type = std::uint32_t;

  explicit random_stream(random_key key) : key_(key) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return 0xFFFFFFFFu; }
  result_type operator()() {
    if (used_ == 4) {
      words_ = random_words(key_, index_++);
      used_ = 0;
    }
    return words_[used_++];
  }

  /// 64 random bits.
  std::uint64_t bits64() {
    const std::uint64_t high = (*this)();
    return (high << 32) | (*this)();
  }
  /// Uniform in the open interval (0, 1), with 53 bits.
  double uniform() { return (static_cast<double>(bits64() >> 11) + 0.5) * 0x1p-53; }
  /// A whole number in [0, bound), without bias.
  std::uint64_t below(std::uint64_t bound) { return random_below(*this, bound); }
  /// Standard normal (Box and Muller; one of the pair is kept for the next call).
  double normal();
  /// The logarithm of a gamma(shape, 1) draw (Marsaglia and Tsang 2000). In log space because a gamma(0.01) draw is
  /// below the smallest float four times in ten.
  double log_gamma(double shape);

 private:
  random_key key_;
  std::uint64_t index_ = 0;
  std::array<std::uint32_t, 4> words_{};
  unsigned used_ = 4;
  bool has_spare_ = false;
  double spare_ = 0;
};

inline double random_stream::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double radius = std::sqrt(-2.0 * std::log(uniform()));
  const double angle = 2.0 * std::numbers::pi * uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

inline double random_stream::log_gamma(double shape) {
  // gamma(a) = gamma(a + 1) * U^(1/a) for a < 1
  double boost = 0.0;
  if (shape < 1.0) {
    boost = std::log(uniform()) / shape;
    shape += 1.0;
  }
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double z = normal();
    const double v = 1.0 + c * z;
    if (v <= 0.0) continue;
    const double cube = v * v * v;
    if (std::log(uniform()) < 0.5 * z * z + d - d * cube + d * std::log(cube)) return std::log(d * cube) + boost;
  }
}

}  // namespace polder
