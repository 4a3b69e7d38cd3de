// The document about the runs, made from their lines alone.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "claims/page.hpp"
#include "claims/plan.hpp"
#include "claims/results.hpp"
#include "polder/io/json.hpp"

namespace polder_claims {

/// Writes PATH.md, and the pictures that it shows beside it. What has not been run yet is said to be missing.
void write_report(const run_set& set, const std::vector<polder::io::json>& lines, const std::string& path);

/// Accuracy over how many times fewer bytes were sent, on the ring at one alpha.
[[nodiscard]] std::string accuracy_picture(const run_set& set, const results& all, const std::string& alpha);
/// The compression error along the run of a method and its base; empty where there is nothing to draw.
[[nodiscard]] std::string error_picture(const run_set& set, const results& all, const method& m,
                                        const std::string& alpha);
/// A number of each evaluation along the runs of a kind, in the mean over seeds: epochs and values.
struct curve {
  std::vector<double> epochs;
  std::vector<double> values;
};
[[nodiscard]] curve mean_curve(const results& all, const kind& k, std::string_view key);

// The document's parts: a question each.
void tell_accuracy(page& to, const run_set& set, const results& all);
void tell_compression(page& to, const run_set& set, const results& all);
void tell_flatness(page& to, const run_set& set, const results& all);
void tell_errors(page& to, const run_set& set, const results& all);

}  // namespace polder_claims
