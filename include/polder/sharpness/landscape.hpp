// polder — landscapes: the loss on a plane or a line through parameter space.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/random.hpp"
#include "polder/io/axis.hpp"
#include "polder/io/contour_svg.hpp"
#include "polder/sharpness/curvature.hpp"
#include "polder/sharpness/filters.hpp"

namespace polder::sharpness {

namespace detail {

/// A number as it is read back: the shortest digits that give the same double; inf and nan by name.
inline void append_number(std::string& to, double value) {
  std::array<char, 32> digits;
  const auto [end, status] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  to.append(digits.data(), end);
}
inline double part(std::size_t i, std::size_t points, double low, double high) {
  const double t = static_cast<double>(i) / static_cast<double>(points - 1);
  return (1.0 - t) * low + t * high;
}

}  // namespace detail

/// The points x_0 + a e_1 + b e_2.
struct plane {
  std::vector<double> origin{};  ///< x_0
  std::vector<double> e1{};
  std::vector<double> e2{};

  template <class T>
  void point(double a, double b, std::span<T> to) const {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<T>(origin[i] + a * e1[i] + b * e2[i]);
  }
  /// The place (a, b) of the plane's point that is nearest to x.
  template <class T>
  [[nodiscard]] std::pair<double, double> nearest(std::span<const T> x) const {
    require<config_error>(x.size() == origin.size(), "plane: ", x.size(), " parameters beside a plane of ",
                          origin.size());
    double p = 0.0, q = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double gap = static_cast<double>(x[i]) - origin[i];
      p += gap * e1[i];
      q += gap * e2[i];
    }
    const double aa = detail::dot(e1, e1), ab = detail::dot(e1, e2), bb = detail::dot(e2, e2);
    const double determinant = aa * bb - ab * ab;
    return {(bb * p - ab * q) / determinant, (aa * q - ab * p) / determinant};
  }
};

/// What a filter-normalized direction does to tensors of one axis: biases, norms.
enum class one_axis { fixed, scaled };

/// A random direction whose filters are as long as those of x:
///
///     d_f <- d_f ||x_f|| / (||d_f|| + 1e-10),      d ~ N(0, I)
///
/// for the slices f along the first axis of every tensor with at least two axes; tensors of one axis stay where they are
/// (default), or each of their numbers is a filter.
/// Errors: config_error if x does not fit the layout.
/// Source: Li, Xu, Taylor, Studer, Goldstein, "Visualizing the Loss Landscape of Neural Nets", NeurIPS 2018; the authors'
/// code tomgoldstein/loss-landscape.
template <class T>
[[nodiscard]] std::vector<double> filter_normalized_direction(const layout& tensors, std::span<const T> x,
                                                              std::uint64_t seed, std::uint64_t index = 0,
                                                              one_axis rule = one_axis::fixed) {
  require<config_error>(x.size() == tensors.size(), "filter_normalized_direction: ", x.size(),
                        " parameters for a layout of ", tensors.size());
  std::vector<double> d(x.size());
  random_stream random({.seed = seed, .purpose = purpose::probe, .step = index});
  for (double& number : d) number = random.normal();
  for (const tensor_info& tensor : tensors.tensors()) {
    detail::for_filters(tensor, [&](std::size_t first, std::size_t count) {
      const double own = detail::norm_of(std::span<const double>(d), first, count);
      const bool still = tensor.shape.size() < 2 && rule == one_axis::fixed;
      const double factor = still ? 0.0 : detail::norm_of(x, first, count) / (own + 1e-10);
      for (std::size_t i = first; i < first + count; ++i) d[i] *= factor;
    });
  }
  return d;
}

/// The plane through x along two such directions. They are not made orthogonal, as in the authors' code.
template <class T>
[[nodiscard]] plane random_plane(const layout& tensors, std::span<const T> x, std::uint64_t seed = 1,
                                 one_axis rule = one_axis::fixed) {
  return {.origin = std::vector<double>(x.begin(), x.end()),
          .e1 = filter_normalized_direction(tensors, x, seed, 0, rule),
          .e2 = filter_normalized_direction(tensors, x, seed, 1, rule)};
}

/// The plane through three models, with orthonormal axes: x_0 at (0, 0), x_1 at (|x_1 - x_0|, 0), x_2 above.
/// Errors: config_error for sizes that do not fit and models on one line, as two workers and the mean of the two.
template <class T>
[[nodiscard]] plane plane_through(std::span<const T> x0, std::span<const T> x1, std::span<const T> x2) {
  require<config_error>(x1.size() == x0.size() && x2.size() == x0.size(), "plane_through: models of ", x0.size(), ", ",
                        x1.size(), " and ", x2.size(), " parameters");
  plane found{.origin = std::vector<double>(x0.begin(), x0.end()), .e1 = found.origin, .e2 = found.origin};
  for (std::size_t i = 0; i < x0.size(); ++i) {
    found.e1[i] = static_cast<double>(x1[i]) - found.origin[i];
    found.e2[i] = static_cast<double>(x2[i]) - found.origin[i];
  }
  const double first = detail::norm(found.e1), second = detail::norm(found.e2);
  require<config_error>(first > 0.0, "plane_through: the first two models are equal");
  detail::scale(found.e1, 1.0 / first);
  for (int pass = 0; pass < 2; ++pass) detail::add(found.e2, -detail::dot(found.e1, found.e2), found.e1);
  const double rest = detail::norm(found.e2);
  require<config_error>(
      rest > 1e-6 * second,
      "plane_through: the three models lie on a line: take one that does not (the mean of two workers "
      "lies between them; the mean of more does not), or draw a line_between");
  detail::scale(found.e2, 1.0 / rest);
  return found;
}

struct landscape_options {
  double a_low = -1.0;  ///< the ranges and the number of points as in the code of Li and others
  double a_high = 1.0;
  double b_low = -1.0;
  double b_high = 1.0;
  std::size_t points = 51;  ///< per axis; at least 2
};

/// The ranges that show all marks, with `margin` of the larger extent around them.
[[nodiscard]] inline landscape_options covering(std::span<const io::map_mark> marks, double margin = 0.3) {
  require<config_error>(!marks.empty(), "covering: no mark to cover");
  landscape_options o{marks[0].x, marks[0].x, marks[0].y, marks[0].y};
  for (const io::map_mark& mark : marks) {
    o.a_low = std::min(o.a_low, mark.x), o.a_high = std::max(o.a_high, mark.x);
    o.b_low = std::min(o.b_low, mark.y), o.b_high = std::max(o.b_high, mark.y);
  }
  const double extent = std::max(o.a_high - o.a_low, o.b_high - o.b_low);
  const double around = extent > 0.0 ? margin * extent : 1.0;
  o.a_low -= around, o.a_high += around, o.b_low -= around, o.b_high += around;
  return o;
}

/// The loss on a plane.
struct landscape {
  io::grid loss{};                    ///< x: a, y: b
  std::vector<io::map_mark> marks{};  ///< models on the plane, or nearest to them

  /// Lines "a,b,loss" under a header. A loss that is not finite is written as inf or nan.
  [[nodiscard]] std::string csv() const {
    std::string out = "a,b,loss\n";
    for (std::size_t j = 0; j < loss.y.size(); ++j) {
      for (std::size_t i = 0; i < loss.x.size(); ++i) {
        for (const double number : {loss.x[i], loss.y[j]}) {
          detail::append_number(out, number);
          out += ',';
        }
        detail::append_number(out, loss.at(i, j));
        out += '\n';
      }
    }
    return out;
  }
  /// The map of it, for io::svg. Contours at equal ratios where the loss is positive and varies tenfold.
  [[nodiscard]] io::map_plot map(std::string title) const {
    double least = std::numeric_limits<double>::infinity(), greatest = -least;
    for (const double number : loss.z) {
      if (!std::isfinite(number)) continue;
      least = std::min(least, number);
      greatest = std::max(greatest, number);
    }
    const bool ratios = least > 0.0 && greatest > 10.0 * least;
    return {.title = std::move(title),
            .x_label = "a",
            .y_label = "b",
            .z_label = "loss",
            .numbers = loss,
            .marks = marks,
            .z_scale = ratios ? io::axis_scale::logarithmic : io::axis_scale::linear};
  }
};

/// The loss L(x_0 + a e_1 + b e_2) on points x points places. `loss(std::span<const T>) -> double`; T is the models' type.
///
/// Memory: n numbers. Cost: points^2 evaluations. Errors: config_error for fewer than 2 points or ranges that are empty.
template <class T, class Loss>
[[nodiscard]] landscape loss_on(const plane& p, const Loss& loss, landscape_options options = {}) {
  require<config_error>(options.points >= 2, "loss_on: points is ", options.points, " but must be at least 2");
  landscape found;
  for (std::size_t i = 0; i < options.points; ++i) {
    found.loss.x.push_back(detail::part(i, options.points, options.a_low, options.a_high));
    found.loss.y.push_back(detail::part(i, options.points, options.b_low, options.b_high));
  }
  require<config_error>(options.a_low < options.a_high && options.b_low < options.b_high, "loss_on: the ranges are ",
                        options.a_low, " to ", options.a_high, " and ", options.b_low, " to ", options.b_high,
                        ": the first must be below the second");
  std::vector<T> point(p.origin.size());
  for (const double b : found.loss.y) {
    for (const double a : found.loss.x) {
      p.point(a, b, std::span<T>(point));
      found.loss.z.push_back(static_cast<double>(loss(std::span<const T>(point))));
    }
  }
  return found;
}

/// The loss on the line between two models, t = 0 at the first and 1 at the second.
struct loss_line {
  std::vector<double> t{};
  std::vector<double> loss{};

  /// How far the loss rises above the straight line between its ends; 0 where it nowhere does, NaN where a loss is not a
  /// number:
  ///     max over t of L(t) - ((1 - t) L(0) + t L(1))
  [[nodiscard]] double barrier() const {
    double highest = 0.0;
    for (std::size_t i = 0; i < t.size(); ++i) {
      const double above = loss[i] - ((1.0 - t[i]) * loss.front() + t[i] * loss.back());
      if (std::isnan(above)) return above;
      highest = std::max(highest, above);
    }
    return highest;
  }
  [[nodiscard]] std::string csv() const {
    std::string out = "t,loss\n";
    for (std::size_t i = 0; i < t.size(); ++i) {
      detail::append_number(out, t[i]);
      out += ',';
      detail::append_number(out, loss[i]);
      out += '\n';
    }
    return out;
  }
};

/// Cost: `points` evaluations. Errors: config_error for sizes that do not fit or fewer than 3 points.
template <class T, class Loss>
[[nodiscard]] loss_line line_between(std::span<const T> x0, std::span<const T> x1, const Loss& loss,
                                     std::size_t points = 51) {
  require<config_error>(x0.size() == x1.size(), "line_between: models of ", x0.size(), " and ", x1.size(),
                        " parameters");
  require<config_error>(points >= 3, "line_between: points is ", points, " but must be at least 3");
  loss_line found;
  std::vector<T> point(x0.size());
  for (std::size_t k = 0; k < points; ++k) {
    found.t.push_back(detail::part(k, points, 0.0, 1.0));
    for (std::size_t i = 0; i < point.size(); ++i) {
      point[i] = static_cast<T>((1.0 - found.t.back()) * static_cast<double>(x0[i]) +
                                found.t.back() * static_cast<double>(x1[i]));
    }
    found.loss.push_back(static_cast<double>(loss(std::span<const T>(point))));
  }
  return found;
}

}  // namespace polder::sharpness
