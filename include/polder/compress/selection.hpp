// polder — the largest of many numbers: where the cut is, exactly, in memory of fixed size.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#include "polder/compress/packing.hpp"
#include "polder/compress/tensors.hpp"
#include "polder/core/config.hpp"
#include "polder/ops/quantize.hpp"

namespace polder::detail {

/// Which of m numbers are the k largest by magnitude: all above `threshold` and the first `ties` equal to it.
template <class T>
struct magnitude_cut {
  ops::bits_of<T> threshold = 0;
  std::size_t ties = 0;
  bool finite = true;
};

/// Which of the `count` <= codec_block numbers at x have magnitudes in [low, high]: bit i of word i / 64.
struct block_marks {
  std::uint64_t words[codec_block / 64] = {};

  template <class T>
  POLDER_INLINE block_marks(const T* x, std::size_t count, ops::bits_of<T> low, ops::bits_of<T> high) {
    using bits = ops::bits_of<T>;
    std::uint8_t flags[codec_block];
    const bits width = high - low;
    for (std::size_t i = 0; i < count; ++i) {
      flags[i] = static_cast<bits>(ops::magnitude_bits(x[i]) - low) <= width ? 1 : 0;
    }
    pack_block(flags, count, 1, reinterpret_cast<std::byte*>(words));
  }
  /// Calls take(i) for the marked ones in ascending order.
  template <class Take>
  POLDER_INLINE void for_each(const Take& take) const {
    for (std::size_t begin = 0; begin < codec_block; begin += 64) {
      for (std::uint64_t set = words[begin / 64]; set != 0; set &= set - 1) {
        take(begin + static_cast<std::size_t>(std::countr_zero(set)));
      }
    }
  }
};

/// Finds the cut: an interval of magnitudes around the k-th largest is narrowed until it is one value or holds few.
///
/// A sample of the numbers says where the k-th largest is likely to be. One pass counts what lies above that interval
/// and, in 2048 equal parts of it, inside; most often the part with the k-th largest holds so few numbers that a
/// second pass can gather and sort them. A guess that was wrong, many equal numbers or other rare distributions cost
/// further passes, at most four more for float32 and seven for float64, never exactness: the sample decides about time
/// alone.
template <class T>
class cut_finder {
 public:
  /// 1 <= k <= m.
  cut_finder(const T* x, std::size_t m, std::size_t k) : x_(x), m_(m), k_(k), inside_(m) {}

  [[nodiscard]] magnitude_cut<T> find() {
    if (inside_ > few) {
      bits low = 0, high = top;
      guess(low, high);
      tally(low, high);
    }
    while (inside_ > few && low_ < high_) tally(low_, high_);
    return low_ < high_ ? gathered() : magnitude_cut<T>{low_, k_ - above_, largest_ < ops::infinity_bits<T>};
  }

 private:
  using bits = ops::bits_of<T>;
  static constexpr std::size_t few = 4096;
  static constexpr unsigned digit = 11;
  static constexpr bits top = ~bits{0} >> 1;

  /// Bounds of the k-th largest by the k/m quantile of a sample, four standard deviations to both sides.
  void guess(bits& low, bits& high) {
    const std::size_t size = std::min(few, m_ / 8);
    // multiples of 2^64 over the golden ratio: spread evenly, and not in step with the rows of a matrix
    for (std::size_t i = 0; i < size; ++i) {
      held_[i] = ops::magnitude_bits(x_[(i + 1) * std::uint64_t{0x9E3779B97F4A7C15u} % m_]);
    }
    const double share = static_cast<double>(k_) / static_cast<double>(m_);
    const double middle = share * static_cast<double>(size);
    const double margin = 2.0 + 4.0 * std::sqrt(middle * (1.0 - share));
    const auto rank = [&](double r) {
      const auto at = static_cast<std::size_t>(r);
      std::nth_element(held_, held_ + at, held_ + size, std::greater<>{});
      return held_[at];
    };
    if (middle - margin >= 0.0) high = rank(middle - margin);
    if (middle + margin < static_cast<double>(size)) low = rank(middle + margin);
  }

  /// One pass: counts the magnitudes above and inside [low, high] and narrows the interval to where the k-th is.
  POLDER_NOINLINE void tally(bits low, bits high) {
    const auto width = static_cast<unsigned>(std::bit_width(static_cast<bits>(high - low)));
    const unsigned shift = width > digit ? width - digit : 0;
    std::size_t parts[std::size_t{1} << digit] = {};
    std::size_t above = 0;
    largest_ = 0;
    for (std::size_t begin = 0; begin < m_; begin += codec_block) {
      const std::size_t count = std::min(codec_block, m_ - begin);
      const T* from = x_ + begin;
      bits higher = 0, most = 0;
      for (std::size_t i = 0; i < count; ++i) {
        const bits size = ops::magnitude_bits(from[i]);
        higher += size > high ? 1u : 0u;
        most = std::max(most, size);
      }
      above += static_cast<std::size_t>(higher);
      largest_ = std::max(largest_, most);
      block_marks(from, count, low, high).for_each([&](std::size_t i) {
        ++parts[static_cast<bits>(ops::magnitude_bits(from[i]) - low) >> shift];
      });
    }
    std::size_t inside = 0;
    for (const std::size_t part : parts) inside += part;
    if (above >= k_) {  // only the first interval, a guess, can lie below the k-th largest,
      low_ = high + 1;
      inside_ = above;
    } else if (above + inside < k_) {  // or above it
      high_ = low - 1;
      above_ = above + inside;
      inside_ = m_ - above_;
    } else {
      bits part = (high - low) >> shift;
      for (; above + parts[part] < k_; --part) above += parts[part];
      above_ = above;
      inside_ = parts[part];
      low_ = low + (part << shift);
      high_ = std::min(high, static_cast<bits>(low_ + ((bits{1} << shift) - 1)));
    }
  }

  /// The cut among few magnitudes in [low_, high_].
  [[nodiscard]] POLDER_NOINLINE magnitude_cut<T> gathered() {
    std::size_t found = 0;
    bits most = 0;
    for (std::size_t begin = 0; begin < m_; begin += codec_block) {
      const std::size_t count = std::min(codec_block, m_ - begin);
      const T* from = x_ + begin;
      for (std::size_t i = 0; i < count; ++i) most = std::max(most, ops::magnitude_bits(from[i]));
      block_marks(from, count, low_, high_).for_each([&](std::size_t i) {
        held_[found++] = ops::magnitude_bits(from[i]);
      });
    }
    const std::size_t rank = k_ - above_ - 1;
    std::nth_element(held_, held_ + rank, held_ + found, std::greater<>{});
    const bits threshold = held_[rank];
    const auto larger =
        static_cast<std::size_t>(std::count_if(held_, held_ + rank, [&](bits size) { return size > threshold; }));
    return {threshold, rank + 1 - larger, most < ops::infinity_bits<T>};
  }

  const T* x_;
  std::size_t m_;
  std::size_t k_;
  bits low_ = 0;           // the k-th largest is in [low_, high_],
  bits high_ = top;        //
  std::size_t above_ = 0;  // so many are above it, fewer than k,
  std::size_t inside_;     // and so many inside, with those above at least k
  bits largest_ = 0;
  bits held_[few];
};

template <class T>
[[nodiscard]] magnitude_cut<T> cut_largest(const T* x, std::size_t m, std::size_t k) {
  return cut_finder<T>(x, m, k).find();
}

}  // namespace polder::detail
