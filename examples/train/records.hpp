// What a run tells: its summary and its log.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "polder/io/json.hpp"
#include "polder/train/fit.hpp"
#include "train/options.hpp"

namespace polder_train {

/// A number with so many digits behind the point.
[[nodiscard]] std::string fixed(double value, int digits);

/// One line of the log.
[[nodiscard]] polder::io::json to_json(const options& o, const polder::evaluation& e);
/// The last line on stdout.
[[nodiscard]] polder::io::json summary(const options& o, const polder::layout& tensors,
                                       const polder::fit_result<float>& result);

/// A log in JSON Lines, an object per evaluation.
class run_log {
 public:
  explicit run_log(std::string path) : path_(std::move(path)) {}
  /// Begins a new file or, in a run that goes on after `step` of `total` steps, keeps the lines up to there. The last
  /// evaluation is always made anew.
  void begin(std::uint64_t step, std::uint64_t total);
  void write(const polder::io::json& line);

 private:
  std::string path_;
};

}  // namespace polder_train
