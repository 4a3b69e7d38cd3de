#include "polder/sharpness/landscape.hpp"

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "polder/io/csv.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;
using namespace polder::sharpness;
using numbers = std::vector<double>;
using point = std::span<const double>;

double bowl(point x) { return 1.0 + 0.5 * (2.0 * x[0] * x[0] + 0.5 * x[1] * x[1] + 3.0 * x[2] * x[2]); }

}  // namespace

TEST_CASE("the plane through three models holds them, with orthonormal axes") {
  const numbers x0{1, 0, 0}, x1{0, 2, 0}, x2{0, 0, 3};
  const plane p = plane_through(point(x0), point(x1), point(x2));
  CHECK(sharpness::detail::dot(p.e1, p.e1) == Approx(1.0));
  CHECK(sharpness::detail::dot(p.e2, p.e2) == Approx(1.0));
  CHECK(sharpness::detail::dot(p.e1, p.e2) == within(0.0, 1e-14));
  for (const numbers* x : {&x0, &x1, &x2}) {
    const auto [a, b] = p.nearest(point(*x));
    numbers back(3);
    p.point(a, b, std::span<double>(back));
    for (std::size_t i = 0; i < 3; ++i) CHECK(back[i] == within((*x)[i], 1e-14));
  }
  CHECK(p.nearest(point(x1)).first == Approx(std::sqrt(5.0)));
  CHECK(p.nearest(point(x1)).second == within(0.0, 1e-14));
  CHECK(p.nearest(point(x2)).second > 0.0);
  const numbers middle{0.5, 1, 0};
  CHECK_THROWS_WITH(plane_through(point(x0), point(x1), point(middle)), Catch::Contains("lie on a line"));
  CHECK_THROWS_WITH(plane_through(point(x0), point(x0), point(x1)), Catch::Contains("are equal"));
}

TEST_CASE("the landscape of a quadratic is its closed form") {
  const numbers x0{1, 0, 0}, x1{0, 2, 0}, x2{0, 0, 3};
  const plane p = plane_through(point(x0), point(x1), point(x2));
  const landscape found = loss_on<double>(p, bowl, {.a_low = -2, .a_high = 1, .b_low = -1, .b_high = 3, .points = 7});
  // On x_0 + a e_1 + b e_2, with the axes written out: e_1 = (-1, 2, 0)/sqrt 5, e_2 = (-4, -2, 15)/sqrt 245.
  for (std::size_t j = 0; j < 7; ++j) {
    for (std::size_t i = 0; i < 7; ++i) {
      const double a = -2.0 + 0.5 * static_cast<double>(i), b = -1.0 + 4.0 / 6.0 * static_cast<double>(j);
      const numbers x{1.0 - a / std::sqrt(5.0) - 4.0 * b / std::sqrt(245.0),
                      2.0 * a / std::sqrt(5.0) - 2.0 * b / std::sqrt(245.0), 15.0 * b / std::sqrt(245.0)};
      CHECK(found.loss.at(i, j) == Approx(bowl(x)).epsilon(1e-12));
    }
  }
}

TEST_CASE("a landscape's CSV is read back number for number") {
  const plane p{{0, 0, 0}, {1, 0, 0}, {0, 1, 0}};
  const landscape found = loss_on<double>(p, bowl, {.points = 5});
  const std::string csv = found.csv();
  const auto table =
      io::parse_csv<double>(io::byte_view(reinterpret_cast<const unsigned char*>(csv.data()), csv.size()), "landscape");
  CHECK(table.header == std::vector<std::string>{"a", "b", "loss"});
  REQUIRE(table.rows == 25);
  for (std::size_t row = 0; row < 25; ++row) {
    CHECK(table.row(row)[0] == found.loss.x[row % 5]);
    CHECK(table.row(row)[1] == found.loss.y[row / 5]);
    CHECK(table.row(row)[2] == found.loss.z[row]);
  }
  CHECK_THROWS_WITH(loss_on<double>(p, bowl, {.points = 1}), Catch::Contains("points is 1"));
  CHECK_THROWS_WITH(loss_on<double>(p, bowl, {.a_low = 2}), Catch::Contains("the ranges are 2 to 1"));
}

TEST_CASE("the map of a landscape marks its models inside its ranges") {
  landscape found = loss_on<double>({{0, 0, 0}, {1, 0, 0}, {0, 1, 0}}, bowl, {.points = 5});
  found.marks = {{"worker 0", 1.0, 0.5}, {"mean", 0.0, 0.0}};
  const std::string picture = io::svg(found.map("A bowl"));
  CHECK(picture.find(">worker 0<") != std::string::npos);
  const auto ranges = covering(found.marks, 0.5);
  CHECK(ranges.a_low == Approx(-0.5));
  CHECK(ranges.a_high == Approx(1.5));
  CHECK(ranges.b_low == Approx(-0.5));
  CHECK(ranges.b_high == Approx(1.0));
}

TEST_CASE("random directions are as long as the filters, filter by filter, and leave tensors of one axis") {
  layout tensors;
  tensors.add("conv1.weight", {2, 1, 2, 2});
  tensors.add("conv1.bias", {2});
  const numbers x{3, 4, 0, 0, 0, 0, 0, 0, 5, 6};
  const auto d = filter_normalized_direction(tensors, point(x), 1);
  CHECK(sharpness::detail::norm(std::span(d).first(4)) == Approx(5.0));
  CHECK(sharpness::detail::norm(std::span(d).subspan(4)) == 0.0);  // a filter of zeros, and the biases
  const auto all = filter_normalized_direction(tensors, point(x), 1, 0, one_axis::scaled);
  CHECK(std::abs(all[8]) == Approx(5.0));
  CHECK(std::abs(all[9]) == Approx(6.0));
  const plane p = random_plane(tensors, point(x), 1);
  CHECK(p.e1 == d);
  CHECK(p.e2 != d);
  CHECK_THROWS_WITH(filter_normalized_direction(tensors, point(x).first(3), 1), Catch::Contains("3 parameters"));
}

TEST_CASE("the barrier of a double well is known, and a bowl has none") {
  // (x^2 - 1)^2 + x / 4 between its wells at -1 and 1: above the straight line x / 4 it is (x^2 - 1)^2, at most 1.
  const auto wells = [](point x) { return (x[0] * x[0] - 1.0) * (x[0] * x[0] - 1.0) + 0.25 * x[0]; };
  const numbers left{-1.0, 0.0, 0.0}, right{1.0, 0.0, 0.0};
  const loss_line line = line_between(point(left), point(right), wells);
  CHECK(line.barrier() == Approx(1.0).epsilon(1e-12));
  CHECK(line.loss.front() == Approx(-0.25));
  CHECK(line.t.back() == 1.0);
  CHECK(line_between(point(left), point(right), bowl).barrier() == within(0.0, 1e-15));
  const auto hole = [&](point x) { return x[0] == 0.0 ? std::nan("") : wells(x); };
  CHECK(std::isnan(line_between(point(left), point(right), hole).barrier()));
  CHECK(line.csv().starts_with("t,loss\n0,-0.25\n"));
  CHECK_THROWS_WITH(line_between(point(left), point(right), wells, 2), Catch::Contains("points is 2"));
}
