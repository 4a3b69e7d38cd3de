#include "sharpness/pictures.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "polder/core/error.hpp"
#include "polder/io/file.hpp"
#include "polder/io/svg.hpp"
#include "polder/sharpness/landscape.hpp"

namespace polder_sharpness {
namespace {

using namespace polder;

/// The plane through the models that the user names, or that are usual; nothing where random directions are meant.
std::optional<sharpness::plane> plane_of(const options& o, const std::vector<std::vector<float>>& workers,
                                         std::span<const float> mean) {
  if (o.plane ? o.plane->random : workers.size() < 3) return std::nullopt;
  const plane_choice choice = o.plane.value_or(plane_choice{});
  std::vector<std::span<const float>> three;
  for (const std::size_t w : choice.workers) three.emplace_back(workers[w]);
  if (choice.mean) three.push_back(mean);
  try {
    return sharpness::plane_through(three[0], three[1], three[2]);
  } catch (const config_error&) {
    // Workers that agree, as after an all-reduce.
    if (o.plane) throw;
    return std::nullopt;
  }
}

/// The models that a plane goes through, and those that are marked where it is nearest to them.
std::vector<io::map_mark> marks_on(const sharpness::plane& plane, const plane_choice& choice, const measurement& of,
                                   std::span<const float> mean) {
  std::vector<io::map_mark> marks;
  const auto mark = [&](std::string name, std::span<const float> x) {
    const auto [a, b] = plane.nearest(x);
    marks.push_back({std::move(name), a, b});
  };
  // Three workers and their mean are on one plane.
  const bool three = of.workers().size() == 3;
  const std::vector<std::size_t> shown = three ? std::vector<std::size_t>{0, 1, 2} : choice.workers;
  for (const std::size_t w : shown) mark(text(w), of.workers()[w]);
  mark(choice.mean || three ? "mean" : "mean (beside the plane)", mean);
  if (!std::ranges::equal(of.model(), mean)) mark(text(of.result.measured, " (beside the plane)"), of.model());
  return marks;
}

/// "workers 0, 1 and 2", "workers 0 and 1 and the mean"
std::string words_of(const plane_choice& choice) {
  const std::vector<std::size_t>& w = choice.workers;
  return choice.mean ? text("workers ", w[0], " and ", w[1], " and the mean")
                     : text("workers ", w[0], ", ", w[1], " and ", w[2]);
}

/// The density as a curve, each point smoothed by a hundredth of the range.
io::plot_series curve_of(const std::string& name, const sharpness::spectrum_points& points, double low, double high) {
  constexpr std::size_t count = 400;
  const double smoothing = 0.01 * (high - low);
  io::plot_series curve{.name = name};
  for (std::size_t i = 0; i < count; ++i) {
    curve.x.push_back(low + (high - low) * static_cast<double>(i) / static_cast<double>(count - 1));
    curve.y.push_back(points.density(curve.x.back(), smoothing));
  }
  // Five decades are to be seen; the Gaussians' tails go on forever.
  const double floor = 1e-5 * *std::ranges::max_element(curve.y);
  for (double& y : curve.y) {
    if (y < floor) y = std::numeric_limits<double>::quiet_NaN();
  }
  return curve;
}

/// The last part of a path: titles are short.
std::string short_name(std::string name) {
  while (name.size() > 1 && name.back() == '/') name.pop_back();
  return name.substr(name.find_last_of('/') + 1);
}

/// Makes a range that shows the workers alone show the valley that they lie in, where its width is known. Workers that
/// cannot be told apart then are one mark.
void widen_to_valley(const io::json& numbers, double a, double b, sharpness::landscape_options& range,
                     std::vector<io::map_mark>& marks) {
  const io::json* const valley = numbers.find("mean_valley");
  const io::json* const open = numbers.find("valley_open");
  if (valley == nullptr || open == nullptr || open->as_unsigned() != 0U) return;
  const double reach = 1.5 * valley->as_double().value_or(0.0);
  const double extent = std::max(range.a_high - range.a_low, range.b_high - range.b_low);
  range.a_low = std::min(range.a_low, a - reach), range.a_high = std::max(range.a_high, a + reach);
  range.b_low = std::min(range.b_low, b - reach), range.b_high = std::max(range.b_high, b + reach);
  if (extent < 0.2 * reach) marks = {{"all workers", a, b}};
}

}  // namespace

std::string csv_beside(const std::string& picture) { return picture.substr(0, picture.size() - 4) + ".csv"; }

void draw_spectra(const options& o, const std::vector<measurement*>& rows) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  std::string csv = "row,eigenvalue,weight\n";
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const sharpness::spectrum_points& points = rows[r]->spectrum();
    for (std::size_t i = 0; i < points.values.size(); ++i) {
      low = std::min(low, points.values[i]);
      high = std::max(high, points.values[i]);
      csv += text(r + 1, ',');
      sharpness::detail::append_number(csv, points.values[i]);
      csv += ',';
      sharpness::detail::append_number(csv, points.weights[i]);
      csv += '\n';
    }
  }
  require<data_error>(low <= high, "--spectrum ", o.spectrum, ": there is no spectrum to draw");
  const double margin = 0.05 * std::max(high - low, 1e-12 * std::max(1.0, std::abs(high)));
  io::plot picture{
      .title = o.plain() ? "Eigenvalues of the Hessian" : "Eigenvalues of the Hessian, relative to filters",
      .x_label = "eigenvalue",
      .y_label = "density",
      .y_scale = io::axis_scale::logarithmic};
  for (measurement* const row : rows) {
    if (row->spectrum().values.empty()) continue;
    picture.series.push_back(
        curve_of(rows.size() == 1 ? "" : row->result.name, row->spectrum(), low - margin, high + margin));
  }
  io::write_file(o.spectrum, io::svg(picture));
  io::write_file(csv_beside(o.spectrum), csv);
}

void draw_landscape(const options& o, const network& f, const measurement& of) {
  const auto loss = [&](std::span<const float> x) { return f.loss(x); };
  const std::vector<float> mean = mean_of(of.workers());
  std::optional<sharpness::plane> plane = plane_of(o, of.workers(), mean);
  std::string title = text("Loss around ", short_name(of.result.name), ", random directions");
  sharpness::landscape_options range;
  std::vector<io::map_mark> marks;
  if (plane) {
    const plane_choice choice = o.plane.value_or(plane_choice{});
    title = text("Loss through ", words_of(choice), " of ", short_name(of.result.name));
    marks = marks_on(*plane, choice, of, mean);
    range = sharpness::covering(marks);
    const auto [a, b] = plane->nearest(std::span<const float>(mean));
    widen_to_valley(of.result.numbers, a, b, range, marks);
  } else {
    plane = sharpness::random_plane(f.tensors(), std::span<const float>(of.model()), o.seed);
    const bool only = of.result.measured == "the only one";
    marks.push_back({only                                          ? "model"
                     : of.result.measured == "mean of all workers" ? "mean"
                                                                   : of.result.measured,
                     0.0, 0.0});
  }
  range.points = o.points;
  sharpness::landscape found = sharpness::loss_on<float>(*plane, loss, range);
  found.marks = std::move(marks);
  io::write_file(o.landscape, io::svg(found.map(std::move(title))));
  io::write_file(csv_beside(o.landscape), found.csv());
}

}  // namespace polder_sharpness
