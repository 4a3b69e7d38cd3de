// polder — the axis of a plot: where the ticks stand and what they say.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "polder/io/markup.hpp"

namespace polder::io {

enum class axis_scale { linear, logarithmic };

/// A labeled place on an axis.
struct axis_tick {
  double value = 0;
  std::string label;
};

/// The range of an axis, its ticks, and where a value falls in between.
class axis {
 public:
  /// An axis that shows [low, high] (both above 0 on a logarithmic one) with about `count` ticks.
  axis(axis_scale scale, double low, double high, std::size_t count) : scale_(scale), low_(low), high_(high) {
    if (scale == axis_scale::logarithmic) {
      logarithmic_ticks(count);
    } else {
      linear_ticks(std::max<std::size_t>(count, 2));
    }
  }

  [[nodiscard]] const std::vector<axis_tick>& ticks() const { return ticks_; }
  /// 0 at the low end, 1 at the high end.
  [[nodiscard]] double place(double value) const {
    if (scale_ == axis_scale::logarithmic) return std::log(value / low_) / std::log(high_ / low_);
    return (value - low_) / (high_ - low_);
  }
  /// Whether the value can be shown at all.
  [[nodiscard]] bool shows(double value) const {
    return std::isfinite(value) && (scale_ == axis_scale::linear || value > 0);
  }

 private:
  void linear_ticks(std::size_t count) {
    const double rough = (high_ - low_) / static_cast<double>(count);
    const int exponent = static_cast<int>(std::floor(std::log10(rough)));
    const double unit = std::pow(10.0, exponent);
    const double mantissa = rough / unit;
    const double nice = mantissa <= 1.0 ? 1.0 : mantissa <= 2.0 ? 2.0 : mantissa <= 5.0 ? 5.0 : 10.0;
    const double step = nice * unit;
    // Slightly generous, so that a tick on the border is not lost to rounding.
    const auto first = std::ceil(low_ / step - 1e-9);
    const auto last = std::floor(high_ / step + 1e-9);
    const double greatest = std::max(std::abs(low_), std::abs(high_));
    const bool scientific = greatest >= 1e6 || greatest < 1e-3;
    const int power = scientific ? static_cast<int>(std::floor(std::log10(greatest))) : 0;
    const int step_exponent = static_cast<int>(std::floor(std::log10(step) + 1e-9));
    const int digits = std::clamp(power - step_exponent, 0, 12);
    for (double i = first; i <= last && ticks_.size() < 4 * count; ++i) {
      const double value = i * step;
      std::string label = fixed(value / std::pow(10.0, power), digits);
      if (scientific && i != 0) label += "·10" + detail::superscript(power);
      ticks_.push_back({value, scientific && i == 0 ? "0" : std::move(label)});
    }
  }

  void logarithmic_ticks(std::size_t count) {
    const int first = static_cast<int>(std::floor(std::log10(low_) + 1e-9));
    const int last = static_cast<int>(std::ceil(std::log10(high_) - 1e-9));
    const double decades = std::log10(high_ / low_);
    const int stride = std::max(1, static_cast<int>(std::ceil(decades / static_cast<double>(count))));
    const std::vector<double> steps = decades < 0.7   ? std::vector{1., 1.5, 2., 2.5, 3., 4., 5., 6., 7., 8., 9.}
                                      : decades < 2.2 ? std::vector{1., 2., 5.}
                                                      : std::vector{1.};
    // One spelling for all: 0.01, 0.1, 1 or 10⁻⁶, 10⁻³, 1.
    const bool plain = low_ >= 0.9e-3 && high_ <= 1.1e4;
    for (int exponent = first; exponent <= last; ++exponent) {
      if (steps.size() == 1 && exponent % stride != 0) continue;
      for (const double step : steps) {
        const double value = step * std::pow(10.0, exponent);
        if (value < low_ * (1 - 1e-9) || value > high_ * (1 + 1e-9)) continue;
        ticks_.push_back({value, decade_label(step, exponent, plain)});
      }
    }
    if (ticks_.size() < 2) {
      ticks_.clear();
      linear_ticks(std::max<std::size_t>(count, 2));
    }
  }

  static std::string decade_label(double step, int exponent, bool plain) {
    if (plain || exponent == 0) {
      const int digits = std::max(0, -exponent) + (step != std::floor(step) && exponent < 1 ? 1 : 0);
      return fixed(step * std::pow(10.0, exponent), digits);
    }
    const std::string power = "10" + detail::superscript(exponent);
    return step == 1.0 ? power : fixed(step, step == std::floor(step) ? 0 : 1) + "·" + power;
  }

  axis_scale scale_;
  double low_;
  double high_;
  std::vector<axis_tick> ticks_;
};

/// The axis for all values that it can show; `low` and `high`, where they are numbers, are kept as they are. A linear
/// axis gets a margin of `margin` of its range on the ends that are not given.
[[nodiscard]] inline axis fitting_axis(axis_scale scale, const std::vector<double>& values, double low, double high,
                                       double margin, std::size_t count) {
  const bool logarithmic = scale == axis_scale::logarithmic;
  double least = std::numeric_limits<double>::infinity();
  double greatest = -least;
  for (const double value : values) {
    if (!std::isfinite(value) || (logarithmic && value <= 0)) continue;
    least = std::min(least, value);
    greatest = std::max(greatest, value);
  }
  if (least > greatest) std::tie(least, greatest) = logarithmic ? std::pair(1.0, 10.0) : std::pair(0.0, 1.0);
  // Beyond these bounds ratios and differences overflow, underflow or drown in rounding.
  constexpr double bound = 1e290;
  least = std::clamp(least, logarithmic ? 1 / bound : -bound, bound);
  greatest = std::clamp(greatest, logarithmic ? 1 / bound : -bound, bound);
  if (logarithmic) {
    const double factor = greatest > least * (1 + 1e-6) ? std::pow(greatest / least, margin) : 1.5;
    least = low > 0 ? low : least / factor;
    greatest = high > 0 ? high : greatest * factor;
    return {scale, least, greatest > least * (1 + 1e-6) ? greatest : least * 10, count};
  }
  const double floor = 1e-9 * std::max({std::abs(least), std::abs(greatest), 1 / bound});
  const double pad =
      greatest - least > floor ? margin * (greatest - least) : std::max(0.05 * std::abs(least), 10 * floor);
  least = std::isfinite(low) ? low : least - pad;
  greatest = std::isfinite(high) ? high : greatest + pad;
  return {scale, least, greatest > least ? greatest : least + std::max(1.0, std::abs(least)), count};
}

}  // namespace polder::io
