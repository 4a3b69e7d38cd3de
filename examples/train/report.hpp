// A folder that compares runs.
#pragma once

#include <functional>
#include <string>

#include "polder/io/json.hpp"
#include "train/options.hpp"

namespace polder_train {

/// Each run adds itself (a run of the same label is replaced), and report.html and table.txt show all that are there.
///
///     DIR/runs/LABEL.jsonl   the run's evaluations
///     DIR/runs/LABEL.json    its options and summary, once it is finished
///
/// In file names, other characters of a label than letters, digits, - and _ become -, and a check sum of the label follows.
class run_report {
 public:
  /// Makes the folder if it is not there.
  run_report(std::string folder, const options& o);
  /// Where the run's evaluations are collected.
  [[nodiscard]] const std::string& log_path() const { return log_path_; }
  /// Adds the finished run and draws the report again. Returns the table of all runs as text. A file of another run that
  /// cannot be read is left out, and `warn` told so in a sentence. Throws data_error for what cannot be written.
  [[nodiscard]] std::string add(const options& o, const polder::io::json& summary,
                                const std::function<void(const std::string&)>& warn) const;

 private:
  std::string folder_;
  std::string label_;
  std::string base_;
  std::string log_path_;
};

}  // namespace polder_train
