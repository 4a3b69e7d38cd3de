#include "polder/io/svg.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "io/support.hpp"
#include "polder/io/report.hpp"

using namespace polder;
using test::fails_with;
using test::well_formed;

namespace {

std::size_t count(std::string_view text, std::string_view piece) {
  std::size_t found = 0;
  for (std::size_t at = text.find(piece); at != std::string_view::npos; at = text.find(piece, at + 1)) ++found;
  return found;
}

io::plot two_curves() {
  io::plot p{.title = "Loss & <more>", .x_label = "epoch", .y_label = "loss"};
  p.series.push_back({.name = "QGM", .x = {0, 1, 2, 3}, .y = {1, 0.5, 0.3, 0.2}});
  p.series.push_back({.name = "DSGDm-N", .x = {0, 1, 2, 3}, .y = {1, 0.6, 0.5, 0.4}});
  return p;
}

std::vector<std::string> labels_of(const io::axis& a) {
  std::vector<std::string> labels;
  for (const auto& tick : a.ticks()) labels.push_back(tick.label);
  return labels;
}

}  // namespace

TEST_CASE("a plot is well-formed, escaped, and names its curves") {
  const std::string picture = io::svg(two_curves());
  CHECK(well_formed(picture));
  CHECK(picture.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK(picture.find("Loss &amp; &lt;more&gt;") != std::string::npos);
  CHECK(count(picture, "<path class=\"polder-curve") == 2);
  CHECK(count(picture, ">DSGDm-N</text>") == 1);
  CHECK(picture.find("nan") == std::string::npos);
}

TEST_CASE("points that cannot be shown leave a gap") {
  io::plot p = two_curves();
  p.series.resize(1);
  const auto pieces = [&p] {
    const std::string picture = io::svg(p);
    const std::size_t begin = picture.find(" d=\"");
    return count(std::string_view(picture).substr(begin, picture.find('"', begin + 4) - begin), "M");
  };
  CHECK(pieces() == 1);
  p.series[0].x = {0, 1, 2, 3, 4};
  p.series[0].y = {1, 2, std::nan(""), 4, 5};
  CHECK(pieces() == 2);
  p.y_scale = io::axis_scale::logarithmic;
  p.series[0].y = {1, 0, -3, 4, std::numeric_limits<double>::infinity()};
  const std::string logarithmic = io::svg(p);
  CHECK(count(logarithmic, "h0") == 2);
  CHECK(logarithmic.find("inf") == std::string::npos);
}

TEST_CASE("plots without points, with one, and of extreme numbers are pictures, too") {
  const std::vector<std::vector<double>> all{
      {}, {3}, {0, 0, 0}, {std::nan(""), std::nan("")}, {1e308, -1e308}, {5e-324, 1e-320}, {1e15, 1e15 + 1}, {-7, -7}};
  for (const auto& y : all) {
    for (const auto scale : {io::axis_scale::linear, io::axis_scale::logarithmic}) {
      io::plot p;
      p.y_scale = p.x_scale = scale;
      p.series.push_back({.name = "y", .x = std::vector<double>(y.size(), 2.0), .y = y});
      const std::string picture = io::svg(p);
      INFO(picture);
      CHECK(well_formed(picture));
      CHECK(picture.find("nan") == std::string::npos);
      CHECK(picture.find("inf") == std::string::npos);
    }
  }
}

TEST_CASE("many curves get a legend and dashes where the colors begin again") {
  io::plot p{.title = "many"};
  for (int i = 0; i < 30; ++i) p.series.push_back({.name = text("w", i), .x = {0, 1}, .y = {0, double(i)}});
  const std::string picture = io::svg(p);
  CHECK(well_formed(picture));
  CHECK(count(picture, ">w29</text>") == 1);
  CHECK(count(picture, "polder-dash\"") > 0);
}

TEST_CASE("a plot with other numbers of x and y, or without room, is refused") {
  io::plot p = two_curves();
  p.series[0].x.pop_back();
  CHECK(fails_with<config_error>([&] { (void)io::svg(p); }, "'QGM' has 3 x but 4 y"));
  p = two_curves();
  p.height = 60;
  CHECK(fails_with<config_error>([&] { (void)io::svg(p); }, "too small"));
}

TEST_CASE("ticks are round numbers, written alike") {
  using labels = std::vector<std::string>;
  CHECK(labels_of({io::axis_scale::linear, 0, 1, 5}) == labels{"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"});
  CHECK(labels_of({io::axis_scale::linear, 0, 20, 6}) == labels{"0", "5", "10", "15", "20"});
  CHECK(labels_of({io::axis_scale::linear, 0, 4e6, 4}) == labels{"0", "1·10⁶", "2·10⁶", "3·10⁶", "4·10⁶"});
  CHECK(labels_of({io::axis_scale::linear, -0.1, 0.1, 2}) == labels{"-0.1", "0.0", "0.1"});
  CHECK(labels_of({io::axis_scale::logarithmic, 1e-6, 1, 6}) ==
        labels{"10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "1"});
  CHECK(labels_of({io::axis_scale::logarithmic, 0.1, 10, 6}) == labels{"0.1", "0.2", "0.5", "1", "2", "5", "10"});
  CHECK(labels_of({io::axis_scale::logarithmic, 1e-9, 1, 4}).size() <= 5);
}

TEST_CASE("labels are moved apart as little as possible and stay inside") {
  using places = std::vector<double>;
  CHECK(io::detail::spread({10, 50, 90}, 16, 0, 100) == places{10, 50, 90});
  CHECK(io::detail::spread({50, 50}, 16, 0, 100) == places{42, 58});
  CHECK(io::detail::spread({58, 50}, 16, 0, 100) == places{62, 46});
  CHECK(io::detail::spread({0, 0, 0}, 16, 0, 100) == places{0, 16, 32});
  CHECK(io::detail::spread({100, 100}, 16, 0, 100) == places{84, 100});
}

TEST_CASE("a report is one well-formed page that loads nothing") {
  const test::temporary_folder folder;
  io::html_report report("A <title>");
  report.heading("Part one").paragraph("Text & \"more\"").note("n").code("a < b");
  report.table({"method", "accuracy"}, {{"QGM", "0.85"}, {"<b>", "–"}}, "caption");
  report.figure(io::svg(two_curves()), "The curves.");
  report.write(folder / "report.html");
  const io::bytes content = io::read_file(folder / "report.html");
  const std::string_view page = io::as_text(content);
  CHECK(well_formed(page));
  CHECK(page.find("A &lt;title&gt;</h1>") != std::string_view::npos);
  CHECK(page.find("<td>&lt;b&gt;</td><td class=\"number\">–</td>") != std::string_view::npos);
  CHECK(page.find("<script") == std::string_view::npos);
  CHECK(page.find("href") == std::string_view::npos);
  CHECK(page.find("src=") == std::string_view::npos);
  CHECK(page.find("url(") == std::string_view::npos);
  CHECK(fails_with<config_error>([&] { report.table({"a", "b"}, {{"1"}}); }, "1 cells for 2 columns"));
}

TEST_CASE("numbers for people have no negative zero") {
  CHECK(io::fixed(-0.001, 2) == "0.00");
  CHECK(io::fixed(-0.006, 2) == "-0.01");
  CHECK(io::fixed(1234.5, 1) == "1234.5");
  CHECK(io::fixed(std::nan(""), 1) == "nan");
}
