// The claims about DPPF, measured: runs what docs/results/dppf.md tells of, run by run, and writes it.
//
//     polder_claims_dppf --out docs/results/dppf --data DIR
//
// Finished runs lie in OUT.jsonl and are not done again; OUT.md is written from them alone. See bench/claims/dppf.sh.
#include <string>

#include "claims/dppf/plan.hpp"
#include "claims/dppf/report.hpp"
#include "claims/dppf/run.hpp"
#include "claims/dppf/schedule.hpp"
#include "claims/program.hpp"
#include "claims/store.hpp"

namespace {

using namespace polder_claims;
using namespace polder_claims::dppf;

std::string told_in_short(const json& line) {
  if (line.find("failed") != nullptr) return "failed ";
  if (line.find("summary") == nullptr) return fixed(number_of(line, "valley_width"), 4) + "  ";
  return fixed(100 * accuracy_of(line), 2) + " %";
}

void work(const program_options& o) {
  const run_set set = set_named(o.set);
  if (o.part != "report") {
    surroundings around{o.data, o.commit, o.out + ".models", set.measured_images};
    do_runs(
        o, settings_version, [&](const job& j) { return run(j, around); }, told_in_short,
        [&](auto& once) { for_all_runs(set, o.part, once); });
  }
  write_report(set, store(o.lines(), store::use::reading, settings_version).lines(), o.out);
}

}  // namespace

int main(int argc, char** argv) {
  return claims_main(argc, argv, "dppf", "measures the claims about DPPF.", {"widths", "methods"}, work);
}
