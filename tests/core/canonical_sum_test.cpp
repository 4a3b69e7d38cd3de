// The canonical order of sums, which every backend shares, against its definition written out.
#include <cstring>
#include <span>
#include <vector>

#include "contract/backend_suite.hpp"
#include "polder/backend/reference.hpp"
#include "support/catch.hpp"

using namespace polder;

namespace {

struct identity {
  template <class T>
  double operator()(T x) const {
    return static_cast<double>(x);
  }
};

/// Blocks of 4096, 16 lanes, folded 8-4-2-1, blocks in order.
double by_definition(const std::vector<double>& x) {
  double total = 0;
  for (std::size_t first = 0; first < x.size(); first += 4096) {
    double lane[16] = {};
    for (std::size_t i = first; i < std::min(x.size(), first + 4096); ++i) lane[(i - first) % 16] += x[i];
    const double a = (lane[0] + lane[8]) + (lane[4] + lane[12]), b = (lane[1] + lane[9]) + (lane[5] + lane[13]),
                 c = (lane[2] + lane[10]) + (lane[6] + lane[14]), d = (lane[3] + lane[11]) + (lane[7] + lane[15]);
    total += (a + c) + (b + d);
  }
  return total;
}

double reference_sum(const std::vector<double>& x) {
  double result = -1;
  reference_backend{}.sum(x.size(), identity{}, host_view<double>(&result, 1),
                          in(host_view<const double>(std::span<const double>(x))));
  return result;
}

}  // namespace

TEST_CASE("the canonical sum is what its definition says, bit by bit", "[sum]") {
  for (const std::size_t n : {0u, 1u, 15u, 16u, 17u, 31u, 4095u, 4096u, 4097u, 8192u, 50021u}) {
    const auto x = contract::numbers<double>(n, n);
    const double expected = by_definition(x), got = reference_sum(x);
    CAPTURE(n);
    CHECK(std::memcmp(&expected, &got, sizeof got) == 0);
  }
}

TEST_CASE("the canonical sum is not the sum in plain order", "[sum]") {
  const auto x = contract::numbers<double>(1000, 1);
  double plain = 0;
  for (const double value : x) plain += value;
  CHECK(plain != reference_sum(x));
  CHECK(plain == Approx(reference_sum(x)).epsilon(1e-12));
}
