#include "polder/compress/subset.hpp"

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "support/catch.hpp"

using namespace polder;

namespace {

std::vector<std::size_t> drawn(detail::subset_drawer& drawer, std::size_t m, std::size_t k) {
  std::vector<std::size_t> positions;
  std::size_t covered = 0;
  drawer.draw(
      m, k,
      [&](std::size_t begin, std::size_t end) {
        CHECK(begin == covered);
        CHECK(end > begin);
        covered = end;
      },
      [&](std::size_t i) {
        CHECK(i < covered);
        positions.push_back(i);
      });
  CHECK(covered == (k == 0 ? 0 : m));
  return positions;
}
std::vector<std::size_t> drawn(std::uint64_t step, std::size_t m, std::size_t k) {
  detail::subset_drawer drawer({.seed = 3, .purpose = purpose::test, .step = step});
  std::vector<std::size_t> positions;
  drawer.draw(
      m, k, [](std::size_t, std::size_t) {}, [&](std::size_t i) { positions.push_back(i); });
  return positions;
}

/// The subsets as they are described, bit by bit.
class described {
 public:
  explicit described(const random_key& key) : key_(key) {}

  int attempts = 0;  ///< of the last draw

  std::vector<std::size_t> draw(std::size_t m, std::size_t k) {
    std::vector<std::size_t> marked;
    for (attempts = 0; attempts == 0 || marked.size() < k; ++attempts) marked = marks(m, k);
    std::vector<std::size_t> kept;
    std::uint64_t word = 64 * block_;
    for (std::size_t seen = 0; kept.size() < k; ++seen) {
      // a whole number below the marks that are left, by Lemire's multiplication; none is needed for one mark
      const std::uint64_t bound = marked.size() - seen;
      std::uint64_t below = 0;
      if (bound > 1) {
        std::uint64_t product = 0;
        do {
          product = word_at(word++) * bound;
        } while ((product & 0xFFFFFFFFu) < (std::uint64_t{1} << 32) % bound);
        below = product >> 32;
      }
      if (below < k - kept.size()) kept.push_back(marked[seen]);
    }
    block_ = (word + 63) / 64;
    return kept;
  }

 private:
  std::uint64_t word_at(std::uint64_t word) const {
    return random_words(key_, 16 * (word / 64) + word % 16)[word % 64 / 16];
  }
  std::vector<std::size_t> marks(std::size_t m, std::size_t k) {
    int digits = 0;
    while (k >> digits != 0) ++digits;
    const double n = static_cast<double>(k) + 8 + 4 * std::exp2(std::ceil(digits / 2.0));
    const auto count = static_cast<double>(m);
    std::uint64_t t = 1;
    unsigned w = 0;
    if (n < count) {
      w = 4 + static_cast<unsigned>(std::floor(std::log2(count / n)));
      t = static_cast<std::uint64_t>(std::ceil(std::exp2(w) * n / count));
      for (; t % 2 == 0; t /= 2) --w;
    }
    std::vector<std::size_t> marked;
    for (std::size_t i = 0; i < m; ++i) {
      bool mark = w == 0;
      for (unsigned j = 0; j < w; ++j) {
        const std::uint64_t word = word_at(64 * (block_ + i / 2048 * w + j) + i % 2048 / 32);
        const bool bit = (word >> (i % 32) & 1) != 0;
        mark = (t >> j & 1) != 0 ? mark || bit : mark && bit;
      }
      if (mark) marked.push_back(i);
    }
    block_ += (m + 2047) / 2048 * w;
    return marked;
  }

  random_key key_;
  std::uint64_t block_ = 0;
};

}  // namespace

TEST_CASE("subsets are those of the description, one after the other from one stream", "[subset]") {
  const random_key key{.seed = 5, .purpose = purpose::selection, .step = 6, .worker = 7, .edge = 8};
  detail::subset_drawer drawer(key);
  described reference(key);
  const std::vector<std::pair<std::size_t, std::size_t>> sizes{
      {1, 1},     {0, 0},     {10, 3},    {10, 10},     {64, 1},      {100, 1},     {2047, 20}, {2048, 20},
      {2049, 20}, {4096, 63}, {4096, 64}, {5000, 1250}, {5000, 4000}, {5000, 5000}, {70000, 7}, {70000, 700}};
  for (const auto& [m, k] : sizes) {
    const std::vector<std::size_t> expected = k == 0 ? std::vector<std::size_t>{} : reference.draw(m, k);
    REQUIRE(expected.size() == k);
    CHECK(drawn(drawer, m, k) == expected);
  }
}

TEST_CASE("too few marks are drawn again", "[subset]") {
  // a step at which the description needs a second attempt
  const random_key key{.seed = 3, .purpose = purpose::test, .step = 120746};
  described reference(key);
  const auto expected = reference.draw(4096, 63);
  REQUIRE(reference.attempts == 2);
  CHECK(drawn(key.step, 4096, 63) == expected);
}

TEST_CASE("every position is drawn equally often, also where coins mark them", "[subset]") {
  // 8 of 2100 marked by coins of 1/64, in two blocks of words; a count is binomial with mean 152, and a sum of 2100
  // squared deviations, each of expectation 1, has a standard deviation of about sqrt(2 2100)
  const std::size_t m = 2100, k = 8;
  const int draws = 40000;
  std::vector<int> counts(m, 0);
  double neighbors = 0;
  for (int draw = 0; draw < draws; ++draw) {
    const auto positions = drawn(static_cast<std::uint64_t>(draw), m, k);
    REQUIRE(positions.size() == k);
    for (std::size_t j = 0; j < k; ++j) {
      ++counts[positions[j]];
      if (j > 0) {
        REQUIRE(positions[j] > positions[j - 1]);
        neighbors += positions[j] == positions[j - 1] + 1 ? 1 : 0;
      }
    }
  }
  const double p = static_cast<double>(k) / m;
  double deviation = 0;
  for (const int count : counts) deviation += std::pow(count - draws * p, 2) / (draws * p * (1 - p));
  CHECK(std::fabs(deviation - m) < 5 * std::sqrt(2.0 * m));
  // of m - 1 pairs of neighbors each is drawn with probability k (k - 1) / (m (m - 1))
  const double expected = draws * p * (k - 1);
  CHECK(std::fabs(neighbors - expected) < 5 * std::sqrt(expected));
}

TEST_CASE("a half of the positions gets its share with the hypergeometric distribution", "[subset]") {
  // 20 of 400, of which the first 150: coins alone would give a binomial number in all and a wider share
  const int m = 400, k = 20, part = 150, draws = 40000;
  std::vector<int> counts(k + 1, 0);
  for (int draw = 0; draw < draws; ++draw) {
    std::size_t inside = 0;
    for (const std::size_t i : drawn(static_cast<std::uint64_t>(draw) + 1000000, m, k)) inside += i < part ? 1 : 0;
    ++counts[inside];
  }
  const auto log_choose = [](double n, double r) {
    return std::lgamma(n + 1) - std::lgamma(r + 1) - std::lgamma(n - r + 1);
  };
  for (int j = 0; j <= k; ++j) {
    const double p = std::exp(log_choose(part, j) + log_choose(m - part, k - j) - log_choose(m, k));
    CHECK(std::fabs(counts[static_cast<std::size_t>(j)] - draws * p) < 5 * std::sqrt(draws * p) + 5);
  }
}

TEST_CASE("every subset is equally likely", "[subset]") {
  // 3 of 7: 35 subsets
  std::vector<int> counts(128, 0);
  const int draws = 70000;
  for (int draw = 0; draw < draws; ++draw) {
    unsigned set = 0;
    for (const std::size_t i : drawn(static_cast<std::uint64_t>(draw) + 2000000, 7, 3)) set |= 1u << i;
    ++counts[set];
  }
  const double p = 1.0 / 35;
  for (unsigned set = 0; set < 128; ++set) {
    if (std::popcount(set) != 3) continue;
    CHECK(std::fabs(counts[set] - draws * p) < 5 * std::sqrt(draws * p * (1 - p)));
  }
}
