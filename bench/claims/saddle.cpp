// The claims about the SADDLe methods, measured: runs what docs/results/saddle.md tells of, run by run, and writes it.
//
//     polder_claims_saddle --out docs/results/saddle --images docs/images --data DIR
//
// Finished runs lie in OUT.jsonl and are not done again; OUT.md is written from them alone. See bench/claims/saddle.sh.
#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include "claims/plan.hpp"
#include "claims/report.hpp"
#include "claims/run.hpp"
#include "claims/schedule.hpp"
#include "claims/store.hpp"
#include "polder/core/error.hpp"
#include "polder/io/markup.hpp"
#include "polder/version.hpp"
#include "train/command_line.hpp"
#include "train/usage_error.hpp"

namespace {

using namespace polder_claims;
using polder::io::json;

struct program_options {
  std::string set = "full";
  std::string out;
  std::string tuning;
  std::string data;
  std::string commit = "unknown";
  std::string part = "all";
};

/// Does a run unless its line is there already, in the file of results or in that of another set's tuning.
class runner {
 public:
  runner(store& results, const store* tuned, surroundings& around)
      : results_(results), tuned_(tuned), around_(around) {}

  const json& operator()(const job& j) {
    const std::string command = j.command();
    if (const json* const done = results_.find(command)) return *done;
    const json* const elsewhere = tuned_ != nullptr && j.purpose == "tune" ? tuned_->find(command) : nullptr;
    if (elsewhere != nullptr) return results_.add(*elsewhere);
    const json& line = results_.add(run(j, around_));
    ++done_;
    std::printf("%s  [%s s] %s\n", told(line).c_str(),
                polder::io::fixed(line.at("seconds").as_double().value_or(0), 1).c_str(), command.c_str());
    std::fflush(stdout);
    return line;
  }
  [[nodiscard]] std::size_t done() const { return done_; }

 private:
  static std::string told(const json& line) {
    const double accuracy = accuracy_of(line);
    return line.find("failed") != nullptr ? "failed " : polder::io::fixed(100 * accuracy, 2) + " %";
  }

  store& results_;
  const store* tuned_;
  surroundings& around_;
  std::size_t done_ = 0;
};

void work(const program_options& o) {
  const run_set set = set_named(o.set);
  const std::string lines = o.out + ".jsonl";
  if (o.part != "report") {
    store results(lines, store::use::writing);
    const store tuned(o.tuning.empty() ? lines : o.tuning, store::use::reading);
    surroundings around{o.data, o.commit, set.flatness_images};
    runner once(results, o.tuning.empty() ? nullptr : &tuned, around);
    for_all_runs(set, o.part, once);
    std::printf("%zu runs done now, %zu in all\n", once.done(), results.lines().size());
  }
  write_report(set, store(lines, store::use::reading).lines(), o.out);
  std::printf("wrote %s.md\n", o.out.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    program_options o;
    polder_train::command_line line("polder_claims_saddle: measures the claims about the SADDLe methods.",
                                    "polder_claims_saddle", "polder " POLDER_VERSION_STRING,
                                    "bench/claims/saddle.sh builds this program and calls it.");
    line.any("--out", "PATH", o.out, "PATH.jsonl holds the runs, PATH.md and PATH_*.svg tell of them");
    line.choice("--set", o.set, {"full", "reduced", "tiny"},
                "which runs: all; one seed, one alpha and one codec; a test's");
    line.choice("--part", o.part, {"all", "quasi_global", "cross_gradients", "report"},
                "only the runs of some methods, or none: write the report from the runs that are there");
    line.any("--tuning", "FILE", o.tuning, "takes runs that tune from this file of another set, where it has them");
    line.any("--data", "DIR", o.data, "where the data set lies, as polder-train has it");
    line.any("--commit", "TEXT", o.commit, "what to call the version of the sources in the results");
    line.parse(argc, argv);
    polder::require<polder_train::usage_error>(line.given("--out"), "--out: allowed: the path of the results");
    work(o);
    return 0;
  } catch (const polder::config_error& e) {
    std::fprintf(stderr, "polder_claims_saddle: %s\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "polder_claims_saddle: %s\n", e.what());
    return 1;
  }
}
