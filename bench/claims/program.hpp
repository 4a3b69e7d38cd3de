// What the programs of claims have in common: their command line, and doing a run unless its line is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "claims/store.hpp"
#include "polder/core/error.hpp"
#include "polder/io/json.hpp"
#include "polder/io/markup.hpp"
#include "polder/version.hpp"
#include "train/command_line.hpp"
#include "train/usage_error.hpp"

namespace polder_claims {

struct program_options {
  std::string set = "full";
  std::string out;
  std::string tuning;
  std::string data;
  std::string commit = "unknown";
  std::string part = "all";

  [[nodiscard]] std::string lines() const { return out + ".jsonl"; }
};

/// Does a run unless its line is there already, in the file of results or in that of another set's tuning.
/// `run(job)` gives a line, `told(line)` what came out in a few words.
template <class Run, class Told>
class runner {
 public:
  runner(store& results, const store* tuned, Run run, Told told)
      : results_(results), tuned_(tuned), run_(std::move(run)), told_(std::move(told)) {}

  template <class Job>
  const polder::io::json& operator()(const Job& j) {
    const std::string command = j.command();
    if (const polder::io::json* const done = results_.find(command)) return *done;
    const polder::io::json* const elsewhere =
        tuned_ != nullptr && j.purpose == "tune" ? tuned_->find(command) : nullptr;
    if (elsewhere != nullptr) return results_.add(*elsewhere);
    const polder::io::json& line = results_.add(run_(j));
    ++done_;
    std::printf("%s  [%s s] %s\n", told_(line).c_str(),
                polder::io::fixed(line.at("seconds").as_double().value_or(0), 1).c_str(), command.c_str());
    std::fflush(stdout);
    return line;
  }
  [[nodiscard]] std::size_t done() const { return done_; }

 private:
  store& results_;
  const store* tuned_;
  Run run_;
  Told told_;
  std::size_t done_ = 0;
};

/// The runs of a set that are missing, `all(once)` calling once(job) for each of the set.
template <class Run, class Told, class All>
void do_runs(const program_options& o, std::uint64_t settings, Run run, Told told, const All& all) {
  store results(o.lines(), store::use::writing, settings);
  const store tuned(o.tuning.empty() ? o.lines() : o.tuning, store::use::reading, settings);
  runner once(results, o.tuning.empty() ? nullptr : &tuned, std::move(run), std::move(told));
  all(once);
  std::printf("%zu runs done now, %zu in all\n", once.done(), results.lines().size());
}

/// A program that measures claims: reads its command line and calls work(options). `parts`: of the runs, beside all.
template <class Work>
int claims_main(int argc, char** argv, const std::string& name, const std::string& about,
                const std::vector<std::string>& parts, const Work& work) {
  const std::string program = "polder_claims_" + name;
  try {
    program_options o;
    polder_train::command_line line(program + ": " + about, program, "polder " POLDER_VERSION_STRING,
                                    "bench/claims/" + name + ".sh builds this program and calls it.");
    std::vector<std::string> allowed{"all"};
    allowed.insert(allowed.end(), parts.begin(), parts.end());
    allowed.emplace_back("report");
    line.any("--out", "PATH", o.out, "PATH.jsonl holds the runs, PATH.md and PATH_*.svg tell of them");
    line.choice("--set", o.set, {"full", "reduced", "tiny"}, "which runs: all; some, in minutes; a test's");
    line.choice("--part", o.part, allowed,
                "only some of the runs, or none: write the report from the runs that are there");
    line.any("--tuning", "FILE", o.tuning, "takes runs that tune from this file of another set, where it has them");
    line.any("--data", "DIR", o.data, "where the data set lies, as polder-train has it");
    line.any("--commit", "TEXT", o.commit, "what to call the version of the sources in the results");
    line.parse(argc, argv);
    polder::require<polder_train::usage_error>(line.given("--out"), "--out: allowed: the path of the results");
    work(o);
    std::printf("wrote %s.md\n", o.out.c_str());
    return 0;
  } catch (const polder::config_error& e) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), e.what());
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", program.c_str(), e.what());
    return 1;
  }
}

}  // namespace polder_claims
