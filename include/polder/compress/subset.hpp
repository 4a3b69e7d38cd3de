// polder — random positions: k of m, every choice as likely as any other, as a function of a key.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "polder/compress/random_words.hpp"
#include "polder/core/config.hpp"
#include "polder/core/random.hpp"

namespace polder::detail {

/// Draws subsets of exactly k of m positions, uniformly, without memory for them; one after the other from one stream.
///
/// First every position is marked or not by an independent coin, somewhat more often than k times in m: cheap, because
/// the bits of random words are coins of 1/2 for 32 positions at once, and w words together by `and` and `or` coins of
/// any p = t 2^-w. Given how many there are, the marked positions are a uniform subset of that size. Then exactly k of
/// them are kept, each k with the same probability (Knuth, The Art of Computer Programming, volume 2, algorithm 3.4.2
/// S). So the k are a uniform subset of all m. Fewer than k marks, less than once in ten thousand times, are drawn again.
///
/// Everything is whole numbers, so that all machines draw the same:
///
///     n = k + 8 + 4 2^ceil(b / 2), where k has b binary digits: at least four standard deviations above k
///     w = 4 + floor(log2(m / n)),  t = ceil(2^w n / m), and t and 2^w are reduced; all are marked where n >= m
///
/// The words are those of random_blocks. Position i of the c-th 2048 positions has bit i mod 32 of word i / 32 of block
/// c w + j for the j-th digit of t from the last: a 1 marks it where the bit is set, a 0 takes its mark away where the bit
/// is not. The blocks of the last step follow, and those of the next subset.
class subset_drawer {
 public:
  explicit subset_drawer(const random_key& key) : random_(key) {}

  /// Calls take(i) for k <= m positions in ascending order, and before those of [begin, end), enter(begin, end). These
  /// ranges cover the m positions one after the other, to the end.
  template <class Enter, class Take>
  void draw(std::size_t m, std::size_t k, const Enter& enter, const Take& take) {
    if (k == 0) return;
    const coin marked = coin_for(m, k);
    const std::uint64_t blocks = (m + chunk - 1) / chunk * marked.words;
    std::uint64_t marks[chunk / 64];
    std::size_t left = 0;
    std::uint64_t first = 0;
    while (left < k) {
      first = next_;
      next_ += blocks;
      left = 0;
      for (std::size_t begin = 0; begin < m; begin += chunk) {
        toss(marked, first + begin / chunk * marked.words, std::min(chunk, m - begin), marks);
        for (const std::uint64_t word : marks) left += static_cast<std::size_t>(std::popcount(word));
      }
    }
    word_reader word(*this);
    for (std::size_t begin = 0; begin < m; begin += chunk) {
      enter(begin, std::min(begin + chunk, m));
      if (k == 0) continue;
      toss(marked, first + begin / chunk * marked.words, std::min(chunk, m - begin), marks);
      for (std::size_t w = 0; w < chunk / 64; ++w) {
        for (std::uint64_t set = marks[w]; set != 0 && k > 0; set &= set - 1) {
          if (random_below(word, left--) >= k) continue;
          take(begin + 64 * w + static_cast<std::size_t>(std::countr_zero(set)));
          --k;
        }
      }
    }
  }

 private:
  static constexpr std::size_t chunk = 32 * random_block;

  /// A coin that shows heads with probability numerator 2^-words; words = 0: always.
  struct coin {
    std::uint64_t numerator = 1;
    unsigned words = 0;
  };
  /// Heads for more than k of m, almost always.
  static coin coin_for(std::size_t m, std::size_t k) {
    const std::uint64_t wanted = k + 8 + (std::uint64_t{4} << (std::bit_width(k) + 1) / 2);
    if (wanted >= m) return {};
    coin c{0, 4};
    while (wanted << (c.words - 3) <= m) ++c.words;
    c.numerator = ((wanted << c.words) + m - 1) / m;
    while (c.numerator % 2 == 0) {
      c.numerator /= 2;
      --c.words;
    }
    return c;
  }
  /// Tosses the coin for the first `count` positions of a chunk.
  void toss(const coin& c, std::uint64_t block, std::size_t count, std::uint64_t (&marks)[chunk / 64]) const {
    std::uint32_t heads[random_block], words[random_block];
    std::fill_n(heads, random_block, c.words == 0 ? ~0u : 0u);
    for (unsigned w = 0; w < c.words; ++w) {
      // behind a digit 0 the chance is half of what it was, behind a 1 it is a half more than that
      random_.fill(block + w, words);
      if ((c.numerator >> w & 1u) != 0) {
        for (std::size_t i = 0; i < random_block; ++i) heads[i] |= words[i];
      } else {
        for (std::size_t i = 0; i < random_block; ++i) heads[i] &= words[i];
      }
    }
    static_assert(std::endian::native == std::endian::little, "two words of 32 bits are one of 64");
    std::memcpy(marks, heads, sizeof heads);
    for (std::size_t w = count / 64; w < chunk / 64; ++w) {
      marks[w] &= 64 * w < count ? (std::uint64_t{1} << count % 64) - 1 : 0;
    }
  }

  /// The random words one after the other, from a block that nothing has used.
  class word_reader {
   public:
    explicit word_reader(subset_drawer& drawer) : drawer_(drawer) {}
    std::uint32_t operator()() {
      if (used_ == random_block) {
        drawer_.random_.fill(drawer_.next_++, words_);
        used_ = 0;
      }
      return words_[used_++];
    }

   private:
    subset_drawer& drawer_;
    std::uint32_t words_[random_block];
    std::size_t used_ = random_block;
  };

  random_blocks random_;
  std::uint64_t next_ = 0;  ///< the next unused block
};

}  // namespace polder::detail
