// Runs that were compared, looked up by what they are, and the statistics over their seeds.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "claims/plan.hpp"
#include "claims/schedule.hpp"
#include "polder/io/json.hpp"
#include "polder/io/markup.hpp"

namespace polder_claims {

using polder::io::fixed;
using polder::io::json;

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

/// Runs of one kind: all that was done with a method, a codec, a graph and an alpha.
struct kind {
  std::string method;
  std::string codec;
  std::string graph;
  std::string alpha;
};

class results {
 public:
  /// Keeps the lines of runs that the set has; what it does not have (any more) counts nowhere.
  results(const run_set& set, const std::vector<json>& lines) {
    auto look_up = [&](const job& j) -> const json& {
      static const json none{{"failed", "not run"}};
      ++planned_;
      const std::string command = j.command();
      for (const json& line : lines) {
        if (line.at("settings").as_unsigned() != settings_version || text_of(line, "command") != command) continue;
        lines_.push_back({&line, j});
        return line;
      }
      return none;
    };
    for_all_runs(set, "all", look_up);
  }

  struct run_line {
    const json* line;
    job what;
    [[nodiscard]] bool failed() const { return line->find("failed") != nullptr; }
  };
  [[nodiscard]] const std::vector<run_line>& lines() const { return lines_; }
  [[nodiscard]] std::size_t planned() const { return planned_; }
  [[nodiscard]] static std::string text_of(const json& line, std::string_view key) {
    const json* const value = line.find(key);
    const auto* const as_text = value == nullptr ? nullptr : value->get_if<std::string>();
    return as_text == nullptr ? std::string() : *as_text;
  }
  /// The lines of a kind that were done to compare, whether they failed or not.
  [[nodiscard]] std::vector<const run_line*> of(const kind& k) const {
    std::vector<const run_line*> found;
    for (const run_line& each : lines_) {
      const job& j = each.what;
      if (j.purpose == "compare" && j.method == k.method && j.with.codec == k.codec && j.graph == k.graph &&
          j.alpha == k.alpha) {
        found.push_back(&each);
      }
    }
    return found;
  }
  /// What `read` gets from each line of a kind that did not fail; a value that is not finite is left out.
  template <class Read>
  [[nodiscard]] sample each(const kind& k, Read read) const {
    sample values;
    for (const run_line* const each : of(k)) {
      if (each->failed()) continue;
      const double value = read(*each->line);
      if (std::isfinite(value)) values.of[each->what.seed] = value;
    }
    return values;
  }
  /// A number of the run's summary.
  [[nodiscard]] sample summary(const kind& k, std::string_view key) const {
    return each(k, [&](const json& line) { return number(line.at("summary"), key); });
  }
  [[nodiscard]] sample accuracy(const kind& k) const { return summary(k, "accuracy_mean_model"); }
  [[nodiscard]] sample flatness(const kind& k) const {
    return each(k, [](const json& line) { return number(line, "largest_eigenvalue"); });
  }
  [[nodiscard]] std::size_t failed(const kind& k) const {
    const auto lines = of(k);
    return static_cast<std::size_t>(std::ranges::count_if(lines, [](const auto* each) { return each->failed(); }));
  }
  /// How many times fewer bytes a worker sends than without compression.
  [[nodiscard]] sample fewer_bytes(const kind& k) const {
    const kind whole{k.method, "none", k.graph, k.alpha};
    return ratio(summary(whole, "bytes_sent_per_worker"), summary(k, "bytes_sent_per_worker"));
  }

  [[nodiscard]] static double number(const json& from, std::string_view key) {
    const json* const value = from.find(key);
    return value == nullptr ? std::numeric_limits<double>::quiet_NaN()
                            : value->as_double().value_or(std::numeric_limits<double>::quiet_NaN());
  }

 private:
  std::vector<run_line> lines_;
  std::size_t planned_ = 0;
};

}  // namespace polder_claims
