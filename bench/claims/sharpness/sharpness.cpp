// Do sharpness measures predict generalization? Trains and measures the models that docs/results/sharpness.md tells of, one
// by one, and writes it.
//
//     polder_claims_sharpness --out docs/results/sharpness --data DIR
//
// Finished models lie in OUT.jsonl and are not done again; OUT.md is written from them alone. See
// bench/claims/sharpness.sh.
#include <string>

#include "claims/program.hpp"
#include "claims/sample.hpp"
#include "claims/sharpness/plan.hpp"
#include "claims/sharpness/report.hpp"
#include "claims/sharpness/run.hpp"
#include "claims/store.hpp"

namespace {

using namespace polder_claims;
using namespace polder_claims::sharpness;

std::string told_in_short(const json& line) {
  if (line.find("failed") != nullptr) return "failed";
  return "test error " + fixed(100 * number_of(line, "test_error"), 2) + " %, training loss " +
         fixed(number_of(line, "train_loss"), 4) + " after " + fixed(number_of(line, "epochs"), 0) + " epochs";
}

void work(const program_options& o) {
  const run_set set = set_named(o.set);
  if (o.part != "report") {
    const surroundings around = surroundings_of(set, o.data, o.commit);
    do_runs(
        o, settings_version, [&](const job& j) { return run(set, j, around); }, told_in_short,
        [&](auto& once) { for_all_runs(set, o.part, once); });
  }
  write_report(set, store(o.lines(), store::use::reading, settings_version).lines(), o.out);
}

}  // namespace

int main(int argc, char** argv) {
  return claims_main(argc, argv, "sharpness", "asks whether sharpness measures predict generalization.", {"mlp", "cnn"},
                     work);
}
