// The numbers of runs that differ in their seed alone, and what is said about them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <string_view>

#include "polder/core/error.hpp"
#include "polder/io/json.hpp"
#include "polder/io/markup.hpp"

namespace polder_claims {

using polder::io::fixed;
using polder::io::json;

/// A number of a line of results; NaN where there is none.
[[nodiscard]] inline double number_of(const json& from, std::string_view key) {
  const json* const value = from.find(key);
  return value == nullptr ? std::numeric_limits<double>::quiet_NaN()
                          : value->as_double().value_or(std::numeric_limits<double>::quiet_NaN());
}
/// A text of a line of results; empty where there is none.
[[nodiscard]] inline std::string text_of(const json& line, std::string_view key) {
  const json* const value = line.find(key);
  const auto* const as_text = value == nullptr ? nullptr : value->get_if<std::string>();
  return as_text == nullptr ? std::string() : *as_text;
}

/// A number for each seed.
struct sample {
  std::map<std::string, double> of;

  [[nodiscard]] bool empty() const { return of.empty(); }
  [[nodiscard]] std::size_t size() const { return of.size(); }
  [[nodiscard]] double mean() const {
    double sum = 0.0;
    for (const auto& [seed, value] : of) sum += value;
    return sum / static_cast<double>(of.size());
  }
  /// The standard deviation, with n - 1 in the denominator; NaN for one number.
  [[nodiscard]] double deviation() const {
    double squares = 0.0;
    for (const auto& [seed, value] : of) squares += (value - mean()) * (value - mean());
    return of.size() < 2 ? std::numeric_limits<double>::quiet_NaN()
                         : std::sqrt(squares / static_cast<double>(of.size() - 1));
  }
  /// How many of the numbers are above 0.
  [[nodiscard]] std::size_t positive() const {
    return static_cast<std::size_t>(std::ranges::count_if(of, [](const auto& each) { return each.second > 0; }));
  }
};

/// f(a, b) for the seeds that both have.
template <class Function>
[[nodiscard]] sample paired(const sample& a, const sample& b, Function f) {
  sample both;
  for (const auto& [seed, value] : a.of) {
    if (const auto other = b.of.find(seed); other != b.of.end()) both.of[seed] = f(value, other->second);
  }
  return both;
}
[[nodiscard]] inline sample difference(const sample& a, const sample& b) { return paired(a, b, std::minus<>{}); }
[[nodiscard]] inline sample ratio(const sample& a, const sample& b) { return paired(a, b, std::divides<>{}); }

/// "84.32 ± 0.51", "84.32" for one seed, "–" for none.
[[nodiscard]] inline std::string told(const sample& values, int digits, double unit = 1.0) {
  if (values.empty()) return "–";
  std::string cell = fixed(unit * values.mean(), digits);
  if (values.size() > 1) cell += " ± " + fixed(unit * values.deviation(), digits);
  return cell;
}
/// The same with its sign.
[[nodiscard]] inline std::string told_signed(const sample& values, int digits, double unit = 1.0) {
  const std::string cell = told(values, digits, unit);
  return values.empty() || cell.starts_with('-') ? cell : "+" + cell;
}

/// What has become of the claim that `gains` are above 0.
[[nodiscard]] inline std::string verdict(const sample& gains) {
  if (gains.empty()) return "not run yet";
  const std::string seeds =
      polder::text(" (", gains.positive(), " of ", gains.size(), gains.size() == 1 ? " seed)" : " seeds)");
  if (!(gains.mean() > 0)) return "**did not hold**" + seeds;
  return (gains.positive() == gains.size() ? "**held**" : "**held in the mean only**") + seeds;
}
/// By how much ratios are below 1: -log of each, so that a half and a double cancel.
[[nodiscard]] inline sample below_one(const sample& share) {
  sample gains;
  for (const auto& [seed, value] : share.of) gains.of[seed] = -std::log(value);
  return gains;
}
/// The claim that `share` is below 1.
[[nodiscard]] inline std::string verdict_below_one(const sample& share) { return verdict(below_one(share)); }

/// A ratio for each seed: the geometric mean, and the least and the greatest one: "0.45 (0.40 to 0.51)".
[[nodiscard]] inline std::string told_ratio(const sample& share, int digits) {
  if (share.empty()) return "–";
  std::string cell = fixed(std::exp(-below_one(share).mean()), digits);
  if (share.size() > 1) {
    const auto by_value = [](const auto& a, const auto& b) { return a.second < b.second; };
    const auto [least, greatest] = std::ranges::minmax_element(share.of, by_value);
    cell += polder::text(" (", fixed(least->second, digits), " to ", fixed(greatest->second, digits), ")");
  }
  return cell;
}

}  // namespace polder_claims
