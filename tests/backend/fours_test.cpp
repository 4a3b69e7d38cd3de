// Four elements at a time, as the kernels of CUDA take them, against one at a time.
#include "polder/backend/fours.hpp"

#include <cstddef>
#include <span>
#include <vector>

#include "contract/backend_suite.hpp"
#include "polder/backend/reference.hpp"
#include "support/catch.hpp"

using namespace polder;

namespace {

/// y <- x - 2 (m <- m / 2 + g)
struct momentum_step {
  template <class T>
  void operator()(const T& x, T g, T& m, T& y) const {
    m = m / 2 + g;
    y = x - 2 * m;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("four elements at a time are four elements", "", float, double) {
  using T = TestType;
  const reference_backend b;
  const std::size_t n = 24;
  const auto x = contract::numbers<T>(n, 1), g = contract::numbers<T>(n, 2);
  std::vector<T> m = contract::numbers<T>(n, 3), y(n, T{7}), m4 = m, y4 = y;
  const auto view_of = [](std::vector<T>& v) { return host_view<T>(v.data(), v.size()); };
  const host_view<const T> xs(x.data(), n), gs(g.data(), n);

  b.map(n, momentum_step{}, in(xs), in(gs), inout(view_of(m)), out(view_of(y)));
  const momentum_step step;
  for (std::size_t i = 0; i < n / 4; ++i) {
    detail::each_of_four([&](std::size_t, auto&... numbers) { step(numbers...); }, i, in(xs), in(gs),
                         inout(view_of(m4)), out(view_of(y4)));
  }
  CHECK(contract::same_bits(m4, m));
  CHECK(contract::same_bits(y4, y));

  const std::vector<weighted<host_space, T>> terms{{xs, 0.3}, {gs, -1.7}, {view_of(m), 0.01}};
  b.combine(std::span<const weighted<host_space, T>>(terms), contract::assign{}, out(view_of(y)));
  for (std::size_t i = 0; i < n / 4; ++i) {
    const auto sum = detail::weighted_four<T>(terms.data(), terms.size(), i);
    detail::each_of_four([&](std::size_t k, T& to) { to = sum.numbers[k]; }, i, out(view_of(y4)));
  }
  CHECK(contract::same_bits(y4, y));
}

TEST_CASE("vectors are taken in fours if each of them begins at a multiple of 16 bytes") {
  alignas(16) const float a[8] = {};
  alignas(16) const double c[4] = {};
  CHECK(detail::in_fours(a, a + 4, c, c + 2));
  CHECK(detail::in_fours());
  CHECK_FALSE(detail::in_fours(a + 1));
  CHECK_FALSE(detail::in_fours(a, c + 1));
  CHECK_FALSE(detail::in_fours(a + 2, c));
}
