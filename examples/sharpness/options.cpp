// The options of polder-sharpness: each once, with its range and its default.
#include "sharpness/options.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/version.hpp"
#include "sharpness/outputs.hpp"
#include "train/command_line.hpp"
#include "train/data_options.hpp"

namespace polder_sharpness {
namespace {

using namespace polder_train;
using polder::require;
using polder::text;

struct measure {
  std::string_view name;
  std::string_view summary;
};
constexpr measure measures[] = {
    {"loss", "loss and accuracy on the training samples and on the test set"},
    {"eigenvalues", "largest of the Hessian (lambda_max and --top more), by Lanczos' method"},
    {"trace", "of the Hessian, by Hutchinson's estimator, and the Frobenius norm"},
    {"hutch_plus_plus", "the trace by Hutch++"},
    {"epsilon_sharpness", "1 / distance along the gradient at which the loss has risen by --epsilon"},
    {"low_pass", "mean loss under noise of --sigma"},
    {"local_entropy", "-log of the integral of exp(-loss) under a Gaussian of variance 1 / --gamma"},
    {"pac_bayes", "way from the initial parameters, relative to the noise that raises the loss by --rise"},
    {"fisher_rao", "x^T F x with the true Fisher information F"},
    {"hessian_form", "x^T H x, which some programs call Fisher-Rao"},
    {"shannon_entropy", "mean entropy of the predictions"},
    {"mean_valley", "mean distance from the workers' mean to the edge of its valley, toward each worker"},
    {"barrier", "how far the loss rises between two workers, 0 and 1 or the first of --plane"},
};

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const measure& m : measures) all.emplace_back(m.name);
  return all;
}

/// The words between the commas.
std::vector<std::string> words_of(std::string_view list) {
  std::vector<std::string> words;
  for (bool more = true; more;) {
    const std::size_t comma = list.find(',');
    words.emplace_back(list.substr(0, comma));
    more = comma != list.npos;
    if (more) list.remove_prefix(comma + 1);
  }
  return words;
}
bool are_measures(const std::string& list) {
  const std::vector<std::string> known = names();
  return std::ranges::all_of(words_of(list),
                             [&](const std::string& word) { return std::ranges::find(known, word) != known.end(); });
}

std::string footer() {
  std::string list = "Measures:\n";
  for (const measure& m : measures) list += text("  ", m.name, std::string(19 - m.name.size(), ' '), m.summary, "\n");
  return list +
         "\nModels that are compared should be measured on the same samples in the same way. Traces, the\n"
         "Frobenius norm, low_pass and local_entropy are shown with the standard error that random vectors give them, "
         "an\n"
         "eigenvalue with the bound of Lanczos' method. pac_bayes rests on ten draws, whose error is not known.\n"
         "\nThe last line on stdout is one JSON object: \"models\" holds an object for each row of the table.\n"
         "Exit status: 0 done, 1 something failed, 2 wrong use.";
}

/// "0,1,mean", "0,2,3", "random"
std::optional<plane_choice> plane_in(std::string_view list) {
  if (list == "random") return plane_choice{.random = true};
  plane_choice found{.workers = {}, .mean = false};
  for (const std::string& word : words_of(list)) {
    const auto worker = number_in<std::size_t>(word);
    const bool twice = worker ? std::ranges::find(found.workers, *worker) != found.workers.end() : found.mean;
    if (twice || (!worker && word != "mean")) return std::nullopt;
    if (worker) found.workers.push_back(*worker);
    found.mean = found.mean || !worker;
  }
  return found.workers.size() + (found.mean ? 1 : 0) == 3 ? std::optional(found) : std::nullopt;
}

const interval positive{.open_low = true, .said = "a number > 0"};

void add_inputs(command_line& line, options& o, std::string& step, std::string& initial_seed) {
  line.operands("MODEL", o.inputs,
                "a file that polder-train --export wrote, or a folder of --checkpoint: of that the model that the run "
                "evaluates is measured; several make a row each");
  line.group("The models");
  line.flag("--together", o.together, "the files are the workers of one run: their mean is measured");
  line.word("--step", "N", step, "of a checkpoint folder; without it the newest checkpoint that is whole",
            "a whole number >= 0", [](const auto& given) { return number_in<std::uint64_t>(given).has_value(); });
  line.choice(
      "--of", o.of, {"evaluated", "mean"},
      "what of a checkpoint folder: the model that the run evaluates (the elastic center or the average in time "
      "where there is one, else the mean of all workers), or always that mean");
  add_model(line, o.model, "what the files say");
  line.word("--initial-seed", "N", initial_seed,
            "the run's --seed, from which its initial parameters follow (pac_bayes); without it what the files say",
            "a whole number >= 0", [](const auto& given) { return number_in<std::uint64_t>(given).has_value(); });
}

void add_samples(command_line& line, options& o) {
  line.group("The samples");
  add_images(line, o.dataset, o.data, "what the files say");
  add_limits(line, o.train_limit, o.test_limit);
  line.whole<std::size_t>(
      "--samples", o.samples, 1,
      "of the training set that measures are taken on, spread evenly; all of it where it has fewer. "
      "With the defaults LeNet-5 takes about a minute of processor time");
  line.number("--label-smoothing", o.label_smoothing, {.high = 1.0, .open_high = true, .said = "a number in [0, 1)"},
              "share of the label that goes to all classes in the loss that is measured");
}

void add_measures(command_line& line, options& o, std::string& chosen) {
  line.group("What is measured");
  line.word("--measures", "LIST", chosen, "names with commas between, see below; without it all", joined(names()),
            are_measures);
  line.choice("--normalize", o.normalize, {"none", "filters", "both"},
              "none: parameters as they are; filters: in units of their filter's length; both");
  line.whole<std::size_t>("--top", o.top, 1, "how many of the largest eigenvalues", 100);
  line.whole<std::size_t>("--products", o.products, 4,
                          "with the Hessian, for each estimate of the trace and at most for eigenvalues", 100'000);
  line.whole<std::size_t>("--draws", o.draws, 2, "of the noise (low_pass, local_entropy)", 1'000'000);
  line.number("--tolerance", o.tolerance, {.high = 1.0, .open_low = true, .said = "a number in (0, 1]"},
              "of eigenvalues, relative to the greatest");
  line.number("--epsilon", o.epsilon, positive, "rise of the loss (epsilon_sharpness)");
  line.number("--sigma", o.sigma, positive, "standard deviation of the noise (low_pass)");
  line.number("--gamma", o.gamma, positive, "1 / variance of the noise (local_entropy)");
  line.number("--rise", o.rise, positive, "of the mean loss under noise (pac_bayes)");
  line.number("--kappa", o.kappa, {.low = 1.0, .open_low = true, .said = "a number > 1"},
              "a valley ends where the loss is so many times that of the mean (mean_valley)");
  line.number("--valley-rise", o.valley_rise, {},
              "above 0: a valley ends where the loss has risen by so much, in place of --kappa; for a mean with a loss "
              "near 0");
  line.whole<std::uint64_t>("--seed", o.seed, 0, "of the random vectors");
}

void add_output(command_line& line, options& o, std::string& plane) {
  line.group("Where it runs and what it leaves");
  line.whole<std::size_t>("--threads", o.threads, 1, "without it one per processor; the numbers do not depend on it",
                          256);
  line.number(
      "--memory", o.memory, {},
      "GiB. The directions of eigenvalues (--products vectors of doubles), hutch_plus_plus (a third of that) and "
      "--spectrum must fit; what is left Hessian products may keep to be faster");
  line.any("--json", "FILE", o.json, "JSON Lines, an object for each row of the table");
  line.any("--spectrum", "FILE.svg", o.spectrum,
           "draws the density of the Hessian's eigenvalues; its points go beside it as .csv (400 products)");
  line.any("--landscape", "FILE.svg", o.landscape,
           "draws the loss on a plane: through two workers and the mean where there are three workers or more, else a "
           "random one; its points go beside it as .csv");
  line.word("--plane", "LIST", plane,
            "of the landscape: three of the workers' numbers and mean, or random; without it 0,1,mean",
            "three different ones of the workers' numbers and mean, with commas between, or random",
            [](const std::string& given) { return plane_in(given).has_value(); });
  line.whole<std::size_t>("--points", o.points, 2, "of the landscape, along each side", 1000);
}

}  // namespace

options parse_options(int argc, char** argv) {
  options o;
  std::string step, initial_seed, chosen, plane;
  command_line line("polder-sharpness: measures how flat the minima are that polder-train found.", "polder-sharpness",
                    "polder " POLDER_VERSION_STRING, footer());
  add_inputs(line, o, step, initial_seed);
  add_samples(line, o);
  add_measures(line, o, chosen);
  add_output(line, o, plane);
  line.parse(argc, argv);
  if (!step.empty()) o.step = number_in<std::uint64_t>(step);
  if (!initial_seed.empty()) o.initial_seed = number_in<std::uint64_t>(initial_seed);
  if (!plane.empty()) o.plane = plane_in(plane);
  o.measures = chosen.empty() ? names() : words_of(chosen);

  require<usage_error>(!o.inputs.empty(),
                       "MODEL: none is given; allowed: files of polder-train --export and folders of "
                       "its --checkpoint");
  require<usage_error>(!o.together || o.inputs.size() >= 2, "--together: ", o.inputs.size(),
                       " model is given; allowed with two or more");
  require<usage_error>(o.landscape.empty() || o.together || o.inputs.size() == 1, "--landscape ", o.landscape,
                       ": allowed with one MODEL, or with --together");
  require<usage_error>(o.dataset != "user" || !o.data.empty(),
                       "--dataset user: needs --data DIR, the folder of your images");
  require<usage_error>(!line.given("--points") || !o.landscape.empty(), "--points ", o.points,
                       ": needs --landscape FILE.svg");
  require<usage_error>(!o.plane || !o.landscape.empty() || o.wants("barrier"), "--plane ", plane,
                       ": needs --landscape FILE.svg, or barrier among --measures");
  check_outputs(o);
  return o;
}

}  // namespace polder_sharpness
