#include "polder/io/contours.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "io/support.hpp"
#include "polder/io/contour_svg.hpp"

using namespace polder;
using test::fails_with;
using test::well_formed;

namespace {

template <class Function>
io::grid sampled(std::size_t columns, std::size_t rows, const Function& f) {
  io::grid g;
  for (std::size_t i = 0; i < columns; ++i)
    g.x.push_back(-1.0 + 2.0 * static_cast<double>(i) / static_cast<double>(columns - 1));
  for (std::size_t j = 0; j < rows; ++j)
    g.y.push_back(-1.0 + 2.0 * static_cast<double>(j) / static_cast<double>(rows - 1));
  for (const double y : g.y) {
    for (const double x : g.x) g.z.push_back(f(x, y));
  }
  return g;
}

}  // namespace

TEST_CASE("the contour of a slope is a straight line from border to border") {
  const auto lines = io::contours(sampled(7, 5, [](double x, double y) { return x + 0.5 * y; }), 0.1);
  REQUIRE(lines.size() == 1);
  CHECK_FALSE(lines[0].closed);
  for (const auto& p : lines[0].points) CHECK(p.x + 0.5 * p.y == within(0.1, 1e-12));
  // The higher side is on the left: the line runs downward.
  CHECK(lines[0].points.front().y == Approx(1.0));
  CHECK(lines[0].points.back().y == Approx(-1.0));
}

TEST_CASE("the contour of a bowl is a closed circle, that of a dome runs the other way") {
  for (const double sign : {1.0, -1.0}) {
    const auto g = sampled(81, 61, [&](double x, double y) { return sign * (x * x + y * y); });
    const auto lines = io::contours(g, sign * 0.5);
    REQUIRE(lines.size() == 1);
    REQUIRE(lines[0].closed);
    double area = 0.0;
    for (std::size_t k = 0; k < lines[0].points.size(); ++k) {
      const auto& p = lines[0].points[k];
      const auto& q = lines[0].points[(k + 1) % lines[0].points.size()];
      CHECK(std::hypot(p.x, p.y) == Approx(std::sqrt(0.5)).epsilon(2e-3));
      area += 0.5 * (p.x * q.y - q.x * p.y);
    }
    CHECK(-sign * area == Approx(0.5 * std::acos(-1.0)).epsilon(5e-3));
  }
}

TEST_CASE("a saddle joins its higher corners, and contours beyond the numbers are none") {
  const io::grid saddle{{0, 1}, {0, 1}, {1, 0, 0, 1}};
  const auto lines = io::contours(saddle, 0.5);
  REQUIRE(lines.size() == 2);
  for (const auto& line : lines) {
    REQUIRE(line.points.size() == 2);
    // Each piece cuts off one of the lower corners, (1, 0) or (0, 1).
    const double x = (line.points[0].x + line.points[1].x) / 2, y = (line.points[0].y + line.points[1].y) / 2;
    CHECK(std::abs(x - y) == Approx(0.5));
  }
  CHECK(io::contours(saddle, 2.0).empty());
  CHECK(io::contours(saddle, -1.0).empty());
}

TEST_CASE("what is no grid is refused") {
  CHECK(fails_with<config_error>([] { (void)io::contours({{0, 1}, {0, 1}, {1, 2, 3}}, 0); }, "2 x 2 lines with 3"));
  CHECK(fails_with<config_error>([] { (void)io::contours({{0, 0}, {0, 1}, {1, 2, 3, 4}}, 0); }, "must ascend"));
  CHECK(fails_with<config_error>(
      [] {
        (void)io::contours({{0, 1}, {0, 1}, {1, 2, 3, std::nan("")}}, 0);
      },
      "a number of the grid is nan"));
}

TEST_CASE("a map is well-formed, escaped, and shows the marks that lie on it") {
  io::map_plot p{.title = "Loss & <more>", .x_label = "a", .y_label = "b", .z_label = "loss"};
  p.numbers = sampled(9, 7, [](double x, double y) { return 1.0 + x * x + 3.0 * y * y; });
  p.marks = {{"mean", 0, 0}, {"w<1>", 0.9, 0.5}, {"outside", 2, 0}};
  for (const auto scale : {io::axis_scale::linear, io::axis_scale::logarithmic}) {
    p.z_scale = scale;
    const std::string picture = io::svg(p);
    CHECK(well_formed(picture));
    CHECK(picture.find("Loss &amp; &lt;more&gt;") != std::string::npos);
    CHECK(picture.find(">mean<") != std::string::npos);
    CHECK(picture.find("w&lt;1&gt;") != std::string::npos);
    CHECK(picture.find("outside") == std::string::npos);
    CHECK(picture.find("nan") == std::string::npos);
  }
  // A peak that overflowed, and a plain, are drawn as well.
  p.numbers.z[3] = std::numeric_limits<double>::infinity();
  CHECK(well_formed(io::svg(p)));
  CHECK(io::svg(p).find("inf") == std::string::npos);
  p.numbers.z.assign(p.numbers.z.size(), 2.0);
  CHECK(well_formed(io::svg(p)));
  p.numbers.z[0] = 0.0;
  CHECK(fails_with<config_error>([&] { (void)io::svg(p); }, "needs numbers above 0"));
}

TEST_CASE("the levels beside a nearly flat map read differently") {
  io::map_plot p{.z_label = "loss"};
  p.numbers = sampled(5, 5, [](double x, double) { return 0.147 + 1e-6 * x; });
  const std::string picture = io::svg(p);
  std::set<std::string> labels;
  std::size_t count = 0;
  for (std::size_t at = picture.find(">0.147"); at != std::string::npos; at = picture.find(">0.147", at + 1), ++count) {
    labels.insert(picture.substr(at, picture.find('<', at) - at));
  }
  CHECK(count >= 4);
  CHECK(labels.size() == count);
}
