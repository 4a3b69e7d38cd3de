// The lines of the runs that a set plans.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "claims/sample.hpp"
#include "polder/io/json.hpp"

namespace polder_claims {

/// The lines of a set's runs; what the set does not have (any more) counts nowhere.
template <class Job>
class planned_runs {
 public:
  struct run_line {
    const json* line;
    Job what;
    [[nodiscard]] bool failed() const { return line->find("failed") != nullptr; }
  };

  /// all(look_up) calls look_up(job) for each run that is planned, and may choose further ones by the line that it gets.
  template <class All>
  planned_runs(const std::vector<json>& lines, std::uint64_t settings, const All& all) {
    auto look_up = [&](const Job& j) -> const json& {
      static const json none{{"failed", "not run"}};
      ++planned_;
      const std::string command = j.command();
      for (const json& line : lines) {
        if (line.at("settings").as_unsigned() != settings || text_of(line, "command") != command) continue;
        lines_.push_back({&line, j});
        return line;
      }
      return none;
    };
    all(look_up);
  }

  [[nodiscard]] const std::vector<run_line>& lines() const { return lines_; }
  [[nodiscard]] std::size_t planned() const { return planned_; }

 private:
  std::vector<run_line> lines_;
  std::size_t planned_ = 0;
};

}  // namespace polder_claims
