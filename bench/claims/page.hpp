// The document while it is written: text, tables, pictures, and sentences that numbers decide.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "claims/sample.hpp"
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

/// Where and when runs were done.
struct run_facts {
  std::size_t done = 0;
  std::set<std::string> commits{}, machines{};
  double seconds = 0.0;

  void count(const json& line) {
    ++done;
    commits.insert(text_of(line, "commit"));
    machines.insert(text_of(line, "machine"));
    seconds += number_of(line, "seconds");
  }
  /// The document's head, with what is still missing.
  void tell(page& to, std::string_view title, std::string_view script, std::size_t planned) const {
    to.put("# ", title, "\n");
    to.put("Written by `sh bench/claims/", script, "` from the lines of `", to.name(),
           ".jsonl`, one for each run; nothing here is edited by hand.\n");
    to.put("- runs: ", done, " of ", planned, ", ", fixed(seconds / 3600, 2), " hours in all",
           done < planned ? " (**not all runs are done yet**)" : "");
    to.put("- machine: ", listed(machines, "; "));
    to.put("- commit: ", listed(commits));
  }
};

}  // namespace polder_claims
