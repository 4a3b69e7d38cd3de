#include "claims/dppf/report.hpp"

#include <string>
#include <utility>
#include <vector>

#include "claims/dppf/schedule.hpp"

namespace polder_claims::dppf {
namespace {

void tell_head(page& to, const run_set& set, const results& all) {
  run_facts facts;
  for (const auto& each : all.lines()) facts.count(*each.line);
  facts.tell(to, "The claims about DPPF, measured", "dppf.sh", all.planned());
  to.put("- every run that is compared: `", listed(set.training, " "),
         " --partition iid`, batch for each worker, cosine learning rate, Nesterov momentum 0.9, weight decay 1e-4");
  to.put("- seeds: ", listed(set.seeds), "; a seed decides initial weights, shares and order of the images\n");
  to.put(
      "Numbers are mean ± standard deviation over seeds; differences and ratios are paired by seed, ratios told by "
      "their",
      " geometric mean (the least to the greatest one). A claim has *held* where the mean is on its side and every "
      "seed",
      " is; where not every seed is, it has *held in the mean only*.\n");
}

/// A row for each run that tuned, and which one won.
void tell_tuning(page& to, const run_set& set, const results& all) {
  to.put("## Tuning\n");
  to.put("On seed ", set.tuning_seed, " (none of those above), ", set.tuning_workers, " workers, a period of ",
         set.tuning_period, ": seven runs for each method. Where there is a second option, learning rates are tried at",
         " its first value, then its other values at the best rate. What is most accurate on the test images is used",
         " everywhere else; of equal ones the first. Pushed workers are pulled by 0.1 (EASGD: 0.4, shared by the",
         " workers), without a push the pull is tuned.\n");
  to.header({"method", "learning rate", "option", "accuracy, %", ""});
  auto look_up = [&](const job& j) -> const json& {
    static const json none{{"failed", "not run"}};
    const json* const found = all.find(j);
    return found == nullptr ? none : *found;
  };
  for (const auto& [m, best] : tune_all(set, look_up)) {
    for (const auto& each : all.lines()) {
      const job& j = each.what;
      if (j.purpose != "tune" || j.method != m->title) continue;
      const bool chosen = j.rate == best.rate && j.second == best.second;
      const bool edge = j.rate == m->rates.front() || j.rate == m->rates.back();
      to.row({m->title, j.rate, m->second.empty() ? "–" : "`" + m->second + " " + j.second + "`",
              each.failed() ? "failed" : fixed(100 * accuracy_of(*each.line), 2),
              chosen ? edge ? "chosen, at the edge of the rates that were tried" : "chosen" : ""});
    }
  }
  to.put();
}

void tell_commands(page& to, const run_set& set, const results& all) {
  to.put("## Commands\n");
  to.put(
      "All of it, going on where it was interrupted: `sh bench/claims/dppf.sh`; some of it in minutes: `sh"
      " bench/claims/dppf.sh --reduced`; this document again from the lines: `sh bench/claims/dppf.sh --report-only`.",
      " Each run but those on a quadratic is a command line of polder-train (with `--data DIR` where the data are not",
      " installed), which gives the `param_hash` of its line at the commit and on a machine of the line. For seed ",
      set.seeds.front(), ", ", set.workers.front(), " workers and a period of ", set.tuning_period, ":\n");
  to.put("```text");
  for (const auto& each : all.lines()) {
    const job& j = each.what;
    const bool shown = j.purpose == "compare" && j.seed == set.seeds.front() && j.workers == set.workers.front();
    if (shown && (j.period.empty() || j.period == set.tuning_period)) to.put(j.command());
  }
  to.put("```");
}

}  // namespace

void write_report(const run_set& set, const std::vector<json>& lines, const std::string& path) {
  const results all(set, lines);
  page to(path);
  tell_head(to, set, all);
  tell_widths(to, set, all);
  tell_methods(to, set, all);
  tell_tuning(to, set, all);
  tell_commands(to, set, all);
  to.write();
}

}  // namespace polder_claims::dppf
