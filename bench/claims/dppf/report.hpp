// The document about the runs, made from their lines alone.
#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "claims/dppf/plan.hpp"
#include "claims/dppf/schedule.hpp"
#include "claims/page.hpp"
#include "claims/planned_runs.hpp"
#include "claims/sample.hpp"
#include "polder/io/json.hpp"

namespace polder_claims::dppf {

/// Runs that are compared: all seeds of a method. Synchronous methods have the same runs for every period.
struct kind {
  const method* of;
  std::string workers;
  std::string period;
};

class results : public planned_runs<job> {
 public:
  results(const run_set& set, const std::vector<json>& lines)
      : planned_runs(lines, settings_version, [&](auto& look_up) { for_all_runs(set, "all", look_up); }) {}

  /// The line of a job; nullptr if it has not been run.
  [[nodiscard]] const json* find(const job& j) const {
    for (const run_line& each : lines()) {
      if (each.what.command() == j.command()) return each.line;
    }
    return nullptr;
  }

  /// What `read` gets from each line of a kind that did not fail; a value that is not finite is left out.
  template <class Read>
  [[nodiscard]] sample each(const kind& k, Read read) const {
    sample values;
    for (const run_line& each : lines()) {
      if (!is(each, k) || each.failed()) continue;
      const double value = read(*each.line);
      if (std::isfinite(value)) values.of[each.what.seed] = value;
    }
    return values;
  }
  [[nodiscard]] sample number(const kind& k, std::string_view key) const {
    return each(k, [&](const json& line) { return number_of(line, key); });
  }
  [[nodiscard]] sample summary(const kind& k, std::string_view key) const {
    return each(k, [&](const json& line) { return number_of(line.at("summary"), key); });
  }
  /// In %.
  [[nodiscard]] sample test_error(const kind& k) const {
    return each(k, [](const json& line) { return 100.0 * (1.0 - accuracy_of(line)); });
  }
  [[nodiscard]] sample train_error(const kind& k) const {
    return each(k, [](const json& line) { return 100.0 * (1.0 - number_of(line, "train_accuracy")); });
  }
  [[nodiscard]] std::size_t failed(const kind& k) const {
    std::size_t count = 0;
    for (const run_line& each : lines()) count += is(each, k) && each.failed() ? 1 : 0;
    return count;
  }
  /// The run of a kind with this seed; nullptr if it has not been run.
  [[nodiscard]] const run_line* with_seed(const kind& k, const std::string& seed) const {
    for (const run_line& each : lines()) {
      if (is(each, k) && each.what.seed == seed) return &each;
    }
    return nullptr;
  }

 private:
  [[nodiscard]] static bool is(const run_line& each, const kind& k) {
    const job& j = each.what;
    return j.purpose == "compare" && j.method == k.of->title && j.workers == k.workers &&
           (!k.of->has_period || j.period == k.period);
  }
};

/// Writes PATH.md, and the pictures that it shows beside it. What has not been run yet is said to be missing.
void write_report(const run_set& set, const std::vector<json>& lines, const std::string& path);

// The document's parts.
void tell_widths(page& to, const run_set& set, const results& all);
void tell_methods(page& to, const run_set& set, const results& all);

/// The picture of test error over what a worker sends, at one number of workers; empty where there is nothing to draw.
[[nodiscard]] std::string error_picture(const run_set& set, const results& all, const std::string& workers);

}  // namespace polder_claims::dppf
