// The document about the models, made from their lines alone.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "claims/page.hpp"
#include "claims/sample.hpp"
#include "claims/sharpness/plan.hpp"
#include "polder/io/json.hpp"

namespace polder_claims::sharpness {

/// A measure as the lines have it, and as the document calls it.
struct measure_name {
  std::string key;
  std::string title;
};
[[nodiscard]] const std::vector<measure_name>& measure_names();

/// A model that did not fail.
struct model_line {
  const json* line;
  job what;

  [[nodiscard]] double value(const std::string& key) const { return number_of(line->at("measures"), key); }
  /// Test error minus training error, in points.
  [[nodiscard]] double gap() const {
    return 100.0 * (number_of(*line, "test_error") - number_of(*line, "train_error"));
  }
  [[nodiscard]] bool is_trained() const { return number_of(*line, "train_loss") <= trained_loss; }
};

/// Kendall's tau between a measure and the gap, over models; with its interval.
struct correlation {
  std::size_t models = 0;
  std::size_t items = 0;  ///< that the bootstrap draws: configurations or groups
  double tau = 0.0, low = 0.0, high = 0.0;

  /// With fewer items the percentiles of a bootstrap say nothing.
  static constexpr std::size_t fewest = 10;
  [[nodiscard]] bool known() const { return items >= fewest; }
  [[nodiscard]] std::string told() const;
};
/// Over models. The models of a configuration, which differ in their seed alone, are drawn together.
[[nodiscard]] correlation correlate(const std::vector<model_line>& models, const std::string& key);

/// Over configurations: measure and gap are means over seeds.
[[nodiscard]] correlation correlate_configurations(const std::vector<model_line>& models, const std::string& key);

/// The mean of tau over groups of models that differ in one hyperparameter only, the seeds of a group averaged; the interval
/// is over groups. Where all groups agree a bootstrap knows no doubt; then the interval is that of the rule of three: with
/// 95 % certainty fewer than 3 / n of all groups are of the other kind.
[[nodiscard]] correlation correlate_varying(const std::vector<model_line>& models, const std::string& key,
                                            const hyperparameter& varied);

/// The gap over a measure; empty where there is nothing to draw.
[[nodiscard]] std::string scatter(const std::vector<model_line>& models, const measure_name& m);

/// Writes PATH.md, and the pictures that it shows beside it. What has not been run yet is said to be missing.
void write_report(const run_set& set, const std::vector<json>& lines, const std::string& path);

}  // namespace polder_claims::sharpness
