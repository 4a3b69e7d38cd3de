#include "polder/compress/selection.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "compress/support.hpp"
#include "support/catch.hpp"

using namespace polder;
using namespace polder::test;

namespace {

/// The cut by sorting.
template <class T>
void check_cut(const std::string& name, const std::vector<T>& x) {
  INFO(name << " of " << x.size());
  std::vector<T> sorted;
  for (const T value : x) sorted.push_back(std::fabs(value));
  std::sort(sorted.begin(), sorted.end(), std::greater<>{});
  const std::size_t m = x.size();
  for (const std::size_t k :
       {std::size_t{1}, std::size_t{2}, m / 1000 + 1, m / 100 + 1, m / 4 + 1, m / 2 + 1, m - 1, m}) {
    const T threshold = sorted[k - 1];
    const auto larger = static_cast<std::size_t>(
        std::lower_bound(sorted.begin(), sorted.end(), threshold, std::greater<>{}) - sorted.begin());
    const auto cut = detail::cut_largest(x.data(), m, k);
    CHECK(cut.threshold == ops::magnitude_bits(threshold));
    CHECK(cut.ties == k - larger);
    CHECK(cut.finite);
  }
}

/// Where the sample of a selection looks first.
std::vector<std::size_t> looked_at(std::size_t m) {
  std::vector<std::size_t> positions;
  for (std::uint64_t i = 1; i <= std::min<std::size_t>(4096, m / 8); ++i) {
    positions.push_back(i * 0x9E3779B97F4A7C15u % m);
  }
  return positions;
}

template <class T>
void check_cuts(std::size_t m) {
  const std::vector<T> normal = normal_numbers<T>(m, 7);
  check_cut("normal", normal);
  check_cut("equal", std::vector<T>(m, T(-1.5)));
  check_cut("zero", std::vector<T>(m, T(0)));
  std::vector<T> x = normal;
  std::sort(x.begin(), x.end());
  check_cut("ascending", x);
  std::reverse(x.begin(), x.end());
  check_cut("descending", x);
  x = normal;
  for (T& value : x) value *= 1000 * std::numeric_limits<T>::denorm_min();
  check_cut("subnormal", x);
  x = normal;
  for (std::size_t i = 0; i < m; ++i) x[i] = i % 200 == 0 ? normal[i] : T(0);
  check_cut("mostly zero", x);
  for (std::size_t i = 0; i < m; ++i) x[i] = i % 2 == 0 ? T(1) : T(-2);
  check_cut("two magnitudes", x);
  for (std::size_t i = 0; i < m; ++i) x[i] = std::ldexp(normal[i], static_cast<int>(i % 250) - 140);
  check_cut("over the whole range", x);
  for (std::size_t i = 0; i < m; ++i) x[i] = T(1) + static_cast<T>(i * 7919 % 1024) * std::numeric_limits<T>::epsilon();
  check_cut("last bits", x);
  // numbers that mislead the sample: where it looks all are small, or all large, or all equal
  for (const T there : {T(1e-6), T(1e6)}) {
    x = normal;
    for (const std::size_t i : looked_at(m)) x[i] = there;
    check_cut("misleading", x);
    for (const std::size_t i : looked_at(m)) x[i] = there * (T(1) + normal[i] * T(0.01));
    check_cut("misleading, spread", x);
  }
}

}  // namespace

TEST_CASE("the cut of the k largest is the one of sorting, whatever the numbers look like", "[selection]") {
  for (const std::size_t m : {2u, 127u, 129u, 4096u, 4097u, 30001u}) {
    check_cuts<float>(m);
    check_cuts<double>(m);
  }
  const auto cut = detail::cut_largest(std::vector<float>{-3.0f}.data(), 1, 1);
  CHECK(cut.threshold == ops::magnitude_bits(3.0f));
  CHECK(cut.ties == 1);
}

TEST_CASE("a cut says whether all numbers are finite", "[selection]") {
  for (const std::size_t m : {5u, 4096u, 20000u}) {
    for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
      for (const std::size_t at : {std::size_t{0}, m / 2, m - 1}) {
        std::vector<float> x = normal_numbers<float>(m, 8);
        for (const std::size_t k : {std::size_t{1}, m / 3, m}) CHECK(detail::cut_largest(x.data(), m, k).finite);
        x[at] = bad;
        for (const std::size_t k : {std::size_t{1}, m / 3, m}) CHECK_FALSE(detail::cut_largest(x.data(), m, k).finite);
        // many equal numbers end the search early, with one value
        std::fill(x.begin(), x.end(), 1.0f);
        CHECK(detail::cut_largest(x.data(), m, m / 2).finite);
        x[at] = bad;
        CHECK_FALSE(detail::cut_largest(x.data(), m, m / 2).finite);
      }
    }
  }
}
