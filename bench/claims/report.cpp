#include "claims/report.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "claims/schedule.hpp"
#include "polder/core/error.hpp"

namespace polder_claims {
namespace {

using polder::text;

void tell_head(page& to, const run_set& set, const results& all) {
  run_facts facts;
  for (const auto& each : all.lines()) facts.count(*each.line);
  facts.tell(to, "The claims about SADDLe, measured", "saddle.sh", all.planned());
  to.put("- every run: `", listed(set.training, " "), "`, cosine learning rate, momentum 0.9, weight decay 1e-4");
  to.put("- seeds: ", listed(set.seeds), "; a seed decides initial weights, shares and order of the images");
  to.put("- accuracy: of the average of all workers' models, on all test images; mean ± standard deviation over seeds");
  to.put("- ratios: paired by seed; the geometric mean, and the least to the greatest one\n");
  to.put(
      "Gains and drops are in points of accuracy, paired by seed. A claim has *held* where the mean is on its side and",
      " every seed is; where not every seed is, it has *held in the mean only*.\n");
}

/// A row for each run that tuned, and which one won.
void tell_tuning(page& to, const run_set& set, const results& all) {
  to.put("## Tuning\n");
  to.put("On seed ", set.tuning_seed, " (none of those above) and alpha ", set.tuning_alpha, ", ring of ", ring.workers,
         ": five runs for each method without compression. Where there is a rho, learning rates are tried at the first",
         " one, then other rho at the best rate. The consensus step of a codec is tried with QGM, and with NGM for the",
         " methods with cross-gradients. What is most accurate is used everywhere else; of equal ones the first.\n");
  to.header({"method", "learning rate", "rho", "codec", "consensus step", "accuracy, %", ""});
  auto look_up = [&](const job& j) -> const json& {
    static const json none{{"failed", "not run"}};
    for (const auto& each : all.lines()) {
      if (each.what.command() == j.command()) return *each.line;
    }
    return none;
  };
  for (const bool cross_gradients : {false, true}) {
    const family f = tune_family(set, cross_gradients, look_up);
    for (const auto& each : all.lines()) {
      const job& j = each.what;
      if (j.purpose != "tune" || method_titled(j.method).cross_gradients != cross_gradients) continue;
      bool chosen = false;
      for (const auto& [m, with] : f.members) {
        chosen = chosen ||
                 (j.with.codec == "none" && m->title == j.method && with.rate == j.with.rate && with.rho == j.with.rho);
      }
      for (const auto& [k, gamma] : f.steps) chosen = chosen || (k->name == j.with.codec && gamma == j.with.gamma);
      const auto or_dash = [](const std::string& value) { return value.empty() ? std::string("–") : value; };
      const std::vector<std::string>& rates = method_titled(j.method).rates;
      const bool edge = j.with.codec == "none" && (j.with.rate == rates.front() || j.with.rate == rates.back());
      to.row({j.method, j.with.rate, or_dash(j.with.rho), j.with.codec, or_dash(j.with.gamma),
              each.failed() ? "failed" : fixed(100 * accuracy_of(*each.line), 2),
              chosen ? edge ? "chosen, at the edge of what was tried" : "chosen" : ""});
    }
  }
  to.put();
}

void tell_commands(page& to, const run_set& set, const results& all) {
  to.put("## Commands\n");
  to.put(
      "All of it, going on where it was interrupted: `sh bench/claims/saddle.sh`; one seed and one alpha: `sh"
      " bench/claims/saddle.sh --reduced`; this document again from the lines: `sh bench/claims/saddle.sh"
      " --report-only`. Each run is a command line of polder-train (with `--data DIR` where the data are not "
      "installed),"
      " which gives the `param_hash` of its line at the commit and on a machine of the line. For seed ",
      set.seeds.front(), " and alpha ", set.alphas.front(), ":\n");
  to.put("```text");
  for (const auto& each : all.lines()) {
    const job& j = each.what;
    if (j.purpose == "compare" && j.seed == set.seeds.front() && j.alpha == set.alphas.front()) to.put(j.command());
  }
  to.put("```");
}

}  // namespace

void write_report(const run_set& set, const std::vector<json>& lines, const std::string& path) {
  const results all(set, lines);
  page to(path);
  tell_head(to, set, all);
  tell_accuracy(to, set, all);
  tell_compression(to, set, all);
  tell_flatness(to, set, all);
  tell_errors(to, set, all);
  tell_tuning(to, set, all);
  tell_commands(to, set, all);
  to.write();
}

}  // namespace polder_claims
