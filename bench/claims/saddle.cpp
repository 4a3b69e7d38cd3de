// The claims about the SADDLe methods, measured: runs what docs/results/saddle.md tells of, run by run, and writes it.
//
//     polder_claims_saddle --out docs/results/saddle --data DIR
//
// Finished runs lie in OUT.jsonl and are not done again; OUT.md is written from them alone. See bench/claims/saddle.sh.
#include <string>

#include "claims/plan.hpp"
#include "claims/program.hpp"
#include "claims/report.hpp"
#include "claims/run.hpp"
#include "claims/schedule.hpp"
#include "claims/store.hpp"

namespace {

using namespace polder_claims;

std::string told_in_short(const json& line) {
  return line.find("failed") != nullptr ? "failed " : fixed(100 * accuracy_of(line), 2) + " %";
}

void work(const program_options& o) {
  const run_set set = set_named(o.set);
  if (o.part != "report") {
    surroundings around{o.data, o.commit, set.flatness_images};
    do_runs(
        o, settings_version, [&](const job& j) { return run(j, around); }, told_in_short,
        [&](auto& once) { for_all_runs(set, o.part, once); });
  }
  write_report(set, store(o.lines(), store::use::reading, settings_version).lines(), o.out);
}

}  // namespace

int main(int argc, char** argv) {
  return claims_main(argc, argv, "saddle", "measures the claims about the SADDLe methods.",
                     {"quasi_global", "cross_gradients"}, work);
}
