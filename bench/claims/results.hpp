// Runs that were compared, looked up by what they are, and the statistics over their seeds.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "claims/plan.hpp"
#include "claims/planned_runs.hpp"
#include "claims/sample.hpp"
#include "claims/schedule.hpp"
#include "polder/io/json.hpp"

namespace polder_claims {

/// Runs of one kind: all that was done with a method, a codec, a graph and an alpha.
struct kind {
  std::string method;
  std::string codec;
  std::string graph;
  std::string alpha;
};

class results : public planned_runs<job> {
 public:
  results(const run_set& set, const std::vector<json>& lines)
      : planned_runs(lines, settings_version, [&](auto& look_up) { for_all_runs(set, "all", look_up); }) {}

  /// The lines of a kind that were done to compare, whether they failed or not.
  [[nodiscard]] std::vector<const run_line*> of(const kind& k) const {
    std::vector<const run_line*> found;
    for (const run_line& each : lines()) {
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
    return each(k, [&](const json& line) { return number_of(line.at("summary"), key); });
  }
  [[nodiscard]] sample accuracy(const kind& k) const { return summary(k, "accuracy_mean_model"); }
  [[nodiscard]] sample flatness(const kind& k) const {
    return each(k, [](const json& line) { return number_of(line, "largest_eigenvalue"); });
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
};

}  // namespace polder_claims
