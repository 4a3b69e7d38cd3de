#include "claims/sharpness/report.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"

namespace polder_claims::sharpness {
namespace {

using polder::text;

/// Models that belong together.
struct group {
  std::string name;
  std::vector<model_line> models;
};

template <class Is>
group group_of(std::string name, const std::vector<model_line>& models, Is is) {
  group found{std::move(name), {}};
  for (const model_line& m : models) {
    if (is(m)) found.models.push_back(m);
  }
  return found;
}

void tell_head(page& to, const run_set& set, const run_facts& facts, std::size_t planned) {
  facts.tell(to, "Do sharpness measures predict generalization?", "sharpness.sh", planned);
  to.put("- models: `mlp:N` (N hidden units) for N = ", listed(set.widths_mlp),
         "; `cnn:N` (3 x 3 convolutions of N and 2 N maps, each with ReLU and 2 x 2 maximum, a dense layer) for N = ",
         listed(set.widths_cnn));
  to.put("- data: ", set.train_images, " training images of ", set.dataset, " for all models, ",
         set.test_images == 0 ? std::string("all") : text(set.test_images), " test images");
  to.put("- training: ", workers, " workers with a quarter of the images each, pulled to their average by ", pull,
         " every ", period, " steps; constant learning rate (1 - momentum) r; batch (per worker) ", listed(set.batches),
         "; r ", listed(set.rates), "; Nesterov momentum ", listed(set.momenta), "; weight decay ",
         listed(set.weight_decays), "; seeds ", listed(set.seeds));
  to.put("- trained: until the loss of the workers' average on the training images is at most ", trained_loss,
         ", looked at every 4 epochs, for at most ", set.most_epochs, " epochs; a model that does not get there does",
         " not count but where it is said\n");
  to.put(
      "Every measure is taken at the workers' average, of the mean loss on the training images without weight decay, "
      "and",
      " so that larger is meant to be sharper. *Filters*: relative to the scale of each filter. Random measures take ",
      set.draws, " draws (PAC-Bayes a fifth of it), the largest eigenvalue at most ", set.products,
      " exact products. The gap is test error minus training error. Numbers are Kendall's tau-b between measure and "
      "gap,",
      " with 95 % bootstrap intervals (percentiles of 1000 draws) over configurations: models that differ in their "
      "seed",
      " alone are drawn together. A measure *predicts* the gap where the interval lies above 0, over models and over",
      " configurations whose seeds are averaged. ", measure_names().size(), " intervals are looked at without a",
      " correction for their number: about one of them would leave out 0 by chance.\n");
}

std::string verdict_of(const correlation& models, const correlation& configurations) {
  if (!models.known() || !configurations.known()) return "too few models";
  if (models.low > 0.0 && configurations.low > 0.0) return "**held**";
  if (models.low > 0.0 || configurations.low > 0.0) {
    return polder::text("**did not hold**: beyond chance over ", models.low > 0.0 ? "models" : "configurations",
                        " only");
  }
  if (models.high < 0.0 && configurations.high < 0.0) return "**did not hold**: the order is opposite";
  return "**did not hold**: no order beyond chance";
}

/// The first group is that of all models.
void tell_groups(page& to, const std::vector<group>& groups, bool finished) {
  std::vector<std::string> names{"measure"};
  for (const group& g : groups) names.push_back(text(g.name, " (", g.models.size(), ")"));
  names.emplace_back("all, seeds averaged");
  names.emplace_back("that it predicts the gap, over all");
  to.header(names);
  for (const measure_name& m : measure_names()) {
    std::vector<std::string> cells{m.title};
    std::vector<correlation> found;
    for (const group& g : groups) {
      const correlation c = found.emplace_back(correlate(g.models, m.key));
      std::string cell = c.told();
      if (c.known() && c.models < g.models.size()) cell += text(" of ", c.models);
      cells.push_back(std::move(cell));
    }
    const correlation averaged = correlate_configurations(groups.front().models, m.key);
    cells.push_back(averaged.told());
    cells.push_back(finished ? verdict_of(found.front(), averaged) : "not all models yet");
    to.row(cells);
  }
  to.put();
}

void tell_varying(page& to, const std::vector<model_line>& models) {
  to.put("## One hyperparameter at a time\n");
  to.put(
      "Tau within models that differ in one hyperparameter only, in the mean over all such groups, whose seeds are "
      "averaged; the interval is over",
      " groups, and where all of them agree that of the rule of three; – stands for fewer than ", correlation::fewest,
      " groups. A measure that orders models well over all and not here follows the hyperparameters, not the gap.\n");
  std::vector<std::string> names{"measure"};
  for (const hyperparameter& h : hyperparameters()) names.push_back(h.name);
  names.emplace_back("mean of these");
  to.header(names);
  for (const measure_name& m : measure_names()) {
    std::vector<std::string> cells{m.title};
    double sum = 0.0;
    std::size_t count = 0;
    for (const hyperparameter& h : hyperparameters()) {
      const correlation c = correlate_varying(models, m.key, h);
      cells.push_back(c.told());
      if (!c.known()) continue;
      sum += c.tau;
      ++count;
    }
    cells.push_back(count == 0 ? "–" : fixed(sum / static_cast<double>(count), 2));
    to.row(cells);
  }
  to.put();
}

void tell_spread(page& to, const std::vector<group>& groups) {
  to.header({"group", "models", "gap: least", "median", "greatest", "training error: greatest, %"});
  for (const group& g : groups) {
    std::vector<double> gaps, errors;
    for (const model_line& m : g.models) {
      gaps.push_back(m.gap());
      errors.push_back(100.0 * number_of(*m.line, "train_error"));
    }
    if (gaps.empty()) {
      to.row({g.name, "0", "–", "–", "–", "–"});
      continue;
    }
    std::ranges::sort(gaps);
    const double median = 0.5 * (gaps[(gaps.size() - 1) / 2] + gaps[gaps.size() / 2]);
    to.row({g.name, text(gaps.size()), fixed(gaps.front(), 2), fixed(median, 2), fixed(gaps.back(), 2),
            fixed(*std::ranges::max_element(errors), 2)});
  }
  to.put();
}

/// The measure that orders the models best.
const measure_name* best_measure(const std::vector<model_line>& models) {
  const measure_name* best = nullptr;
  double most = -2.0;
  for (const measure_name& m : measure_names()) {
    const correlation c = correlate(models, m.key);
    if (c.known() && c.tau > most) {
      most = c.tau;
      best = &m;
    }
  }
  return best;
}

void tell_pictures(page& to, const std::vector<model_line>& models) {
  const measure_name* const best = best_measure(models);
  for (const measure_name& m : measure_names()) {
    if (&m != best && m.key != "inverse_mean_valley" && m.key != "largest_eigenvalue") continue;
    to.picture("_" + m.key, "Gap over " + m.title, scatter(models, m));
  }
}

void tell_commands(page& to) {
  to.put("## Commands\n");
  to.put(
      "All of it, going on where it was interrupted: `sh bench/claims/sharpness.sh`; fewer models in minutes: `sh"
      " bench/claims/sharpness.sh --reduced`; this document again from the lines: `sh bench/claims/sharpness.sh"
      " --report-only`. A line names its model's values under `command`; the same values give the same numbers.");
}

}  // namespace

const std::vector<measure_name>& measure_names() {
  static const std::vector<measure_name> all{
      {"largest_eigenvalue", "largest eigenvalue"},
      {"trace", "trace"},
      {"frobenius", "Frobenius norm"},
      {"epsilon_sharpness", "epsilon-sharpness"},
      {"low_pass", "low-pass loss"},
      {"local_entropy", "local entropy"},
      {"pac_bayes", "PAC-Bayes"},
      {"largest_eigenvalue_filters", "largest eigenvalue, filters"},
      {"trace_filters", "trace, filters"},
      {"frobenius_filters", "Frobenius norm, filters"},
      {"epsilon_sharpness_filters", "epsilon-sharpness, filters"},
      {"low_pass_filters", "low-pass loss, filters"},
      {"local_entropy_filters", "local entropy, filters"},
      {"pac_bayes_filters", "PAC-Bayes, filters"},
      {"inverse_mean_valley", "inverse mean valley, loss + 0.1"},
      {"inverse_mean_valley_twice", "inverse mean valley, 2 x loss"},
      {"fisher_rao", "Fisher-Rao"},
      {"hessian_form", "x^T H x"},
      {"shannon_entropy", "Shannon entropy"},
      {"gradient_norm", "gradient norm"},
      {"parameter_norm", "norm of the parameters"},
      {"distance_from_start", "distance from the start"},
  };
  return all;
}

void write_report(const run_set& set, const std::vector<json>& lines, const std::string& path) {
  std::vector<model_line> all;
  run_facts facts;
  std::size_t planned = 0;
  std::size_t failed = 0;
  const auto look_up = [&](const job& j) {
    ++planned;
    const std::string command = j.command();
    for (const json& line : lines) {
      if (line.at("settings").as_unsigned() != settings_version || text_of(line, "command") != command) continue;
      facts.count(line);
      if (line.find("failed") != nullptr) {
        ++failed;
      } else {
        all.push_back({&line, j});
      }
      return;
    }
  };
  for_all_runs(set, "all", look_up);

  page to(path);
  tell_head(to, set, facts, planned);
  const group trained = group_of("all", all, [](const model_line& m) { return m.is_trained(); });
  std::vector<group> groups{trained};
  groups.push_back(group_of("MLP", trained.models, [](const model_line& m) { return m.what.kind == "mlp"; }));
  groups.push_back(group_of("CNN", trained.models, [](const model_line& m) { return m.what.kind == "cnn"; }));
  groups.push_back(
      group_of("without weight decay", trained.models, [](const model_line& m) { return m.what.weight_decay == "0"; }));
  groups.push_back({"all, not trained as well", all});
  to.put(trained.models.size(), " of ", facts.done, " models reached the loss; ", failed,
         " failed with numbers that were not finite any more.\n");
  tell_spread(to, groups);
  to.put("## Over all models, and within groups\n");
  tell_groups(to, groups, facts.done == planned);
  tell_pictures(to, trained.models);
  tell_varying(to, trained.models);
  tell_commands(to);
  to.write();
}

}  // namespace polder_claims::sharpness
