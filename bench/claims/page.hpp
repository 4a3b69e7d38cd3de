// The document while it is written: text, tables, pictures, and sentences that numbers decide.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "claims/results.hpp"
#include "polder/core/error.hpp"
#include "polder/io/file.hpp"

namespace polder_claims {

class page {
 public:
  /// `path`: of the document, without its ending.
  explicit page(std::string path) : path_(std::move(path)) {}

  [[nodiscard]] std::string name() const { return path_.substr(path_.find_last_of('/') + 1); }
  template <class... Pieces>
  void put(const Pieces&... pieces) {
    out_ += polder::text(pieces...);
    out_ += '\n';
  }
  void row(const std::vector<std::string>& cells) {
    for (const std::string& cell : cells) out_ += "| " + cell + " ";
    out_ += "|\n";
  }
  void header(const std::vector<std::string>& cells) {
    row(cells);
    row(std::vector<std::string>(cells.size(), "---"));
  }
  /// Writes a picture beside the document and shows it; nothing for one without content.
  void picture(const std::string& suffix, const std::string& said, const std::string& svg) {
    if (svg.empty()) return;
    polder::io::write_file(path_ + suffix + ".svg", svg);
    put("![", said, "](", name(), suffix, ".svg)\n");
  }
  void write() const { polder::io::write_file(path_ + ".md", out_); }

 private:
  std::string path_;
  std::string out_;
};

/// "a, b, c"
template <class Items>
[[nodiscard]] std::string listed(const Items& items, std::string_view between = ", ") {
  std::string list;
  for (const std::string& item : items) list += polder::text(list.empty() ? "" : between, item);
  return list;
}

/// What has become of the claim that `gains` are above 0.
[[nodiscard]] inline std::string verdict(const sample& gains) {
  if (gains.empty()) return "not run yet";
  const std::string seeds =
      polder::text(" (", gains.positive(), " of ", gains.size(), gains.size() == 1 ? " seed)" : " seeds)");
  if (!(gains.mean() > 0)) return "**did not hold**" + seeds;
  return (gains.positive() == gains.size() ? "**held**" : "**held in the mean only**") + seeds;
}
/// The claim that `share` is below 1.
[[nodiscard]] inline std::string verdict_below_one(const sample& share) {
  sample rest;
  for (const auto& [seed, value] : share.of) rest.of[seed] = 1.0 - value;
  return verdict(rest);
}

// The document's parts: a question each.
void tell_accuracy(page& to, const run_set& set, const results& all);
void tell_compression(page& to, const run_set& set, const results& all);
void tell_flatness(page& to, const run_set& set, const results& all);
void tell_errors(page& to, const run_set& set, const results& all);

}  // namespace polder_claims
