// What is run for the claims about DPPF: the valley widths, the methods, the grid that each is tuned on, and the runs that
// are compared. Every run but those on a quadratic is a command line of polder-train.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "claims/train_run.hpp"
#include "polder/core/error.hpp"

namespace polder_claims::dppf {

/// To be raised when the same command line would give other numbers: lines of an older version do not count.
inline constexpr std::uint64_t settings_version = 1;

/// A method, and the values that it is tuned over: seven runs each, whatever the method. Learning rates are tried at the
/// first value of the second option, then the other values at the best rate.
struct method {
  std::string title;
  std::vector<std::string> arguments;  ///< of polder-train
  bool has_period = true;
  std::string base{};    ///< title of the same pull without push
  std::string second{};  ///< option beside the learning rate; empty: none
  std::vector<std::string> seconds{};
  std::vector<std::string> rates{"0.01", "0.02", "0.04", "0.08"};
};

/// A pull, as polder-train --pull-to has it. `pull` is what workers are pulled by when they are pushed, too; EASGD's is
/// shared by the workers, so 0.4 on 4 of them is the 0.1 of the others.
struct pull {
  std::string name;
  std::string title;
  std::string strength;
  std::vector<std::string> strengths;  ///< that are tried without push
};
inline const std::vector<pull>& pulls() {
  static const std::vector<pull> all{
      {"average", "SimpleAvg", "0.1", {"0.1", "0.3", "0.6", "1"}},
      {"elastic", "EASGD", "0.4", {"0.4", "0.2", "0.7", "1"}},
      {"leader", "LSGD", "0.1", {"0.1", "0.3", "0.6", "0.9"}},
      {"mgrawa", "MGRAWA", "0.1", {"0.1", "0.3", "0.6", "0.9"}},
      {"lgrawa", "LGRAWA", "0.1", {"0.1", "0.3", "0.6", "0.9"}},
  };
  return all;
}

inline const std::string sgd = "DDP SGD";
inline const std::string sam = "DDP SAM";
inline const std::string local_sgd_qsr = "QSR";

/// The methods of a set that has these pulls.
inline std::vector<method> methods_with(const std::vector<std::string>& names) {
  std::vector<method> all;
  for (const pull& p : pulls()) {
    bool wanted = false;
    for (const std::string& name : names) wanted = wanted || name == p.name;
    if (!wanted) continue;
    const std::vector<std::string> toward{"--method", "dppf", "--pull-to", p.name};
    std::vector<std::string> alone = toward, pushed = toward;
    alone.insert(alone.end(), {"--push", "0"});
    pushed.insert(pushed.end(), {"--pull", p.strength});
    all.push_back({p.title, alone, true, "", "--pull", p.strengths});
    all.push_back({"DPPF, " + p.title, pushed, true, p.title, "--push", {"0.1", "0.05", "0.2", "0.4"}});
  }
  all.push_back({local_sgd_qsr, {"--method", "qsr"}, true, "", "--qsr-alpha", {"0.08", "0.02", "0.04", "0.16"}});
  all.push_back(
      {sgd, {"--method", "ddp_sgd"}, false, "", "", {}, {"0.005", "0.01", "0.02", "0.04", "0.06", "0.08", "0.16"}});
  all.push_back({sam, {"--method", "ddp_sam"}, false, "", "--rho", {"0.05", "0.02", "0.1", "0.2"}});
  return all;
}

/// What all runs of a set share.
struct run_set {
  std::string name;
  std::vector<std::string> training;  ///< data, model and length of the runs that are compared
  std::vector<method> methods;
  std::vector<std::string> workers;
  std::vector<std::string> periods;
  std::vector<std::string> seeds;
  std::string tuning_workers;
  std::string tuning_period;
  std::string tuning_seed;          ///< none of those that are compared
  std::size_t measured_images = 0;  ///< of the training images, for eigenvalues and valleys
  // The valley widths:
  std::vector<std::string> networks;  ///< as polder-train --model has it
  std::vector<std::string> width_training;
  std::vector<std::string> schedules;  ///< of the learning rate
  std::vector<std::string> pull_strengths;
  std::vector<std::string> widths;  ///< lambda / alpha
  std::string width_rate;           ///< of learning, on networks
};

/// The sets by name: full, reduced (one seed, one pull, 4 workers, one period) and tiny (the test of this program).
inline run_set set_named(std::string_view name) {
  run_set full{
      "full",
      {"--dataset", "fashion-mnist", "--train-limit", "20000", "--model", "lenet5", "--epochs", "10", "--batch", "16"},
      methods_with({"average", "elastic", "leader", "mgrawa", "lgrawa"}),
      {"4", "8"},
      {"4", "16", "64"},
      {"1", "2", "3"},
      "4",
      "16",
      "0",
      1000,
      {"mlp:128", "lenet5"},
      {"--dataset", "fashion-mnist", "--train-limit", "20000", "--epochs", "5", "--batch", "16"},
      {"constant", "cosine"},
      {"0.1", "0.3"},
      {"0", "0.5", "1", "2", "4", "8"},
      "0.02"};
  if (name == "full") return full;
  if (name == "reduced") {
    full.name = "reduced";
    full.methods = methods_with({"average"});
    full.workers = {"4"};
    full.periods = {"16"};
    full.seeds = {"1"};
    full.networks = {"lenet5"};
    full.schedules = {"cosine"};
    full.pull_strengths = {"0.1"};
    return full;
  }
  polder::require<polder::config_error>(name == "tiny", "there is no set '", name,
                                        "': allowed are full, reduced, tiny");
  const std::vector<std::string> digits{"--dataset", "digits", "--train-limit", "800", "--test-limit", "100"};
  std::vector<std::string> training = digits, width_training = digits;
  training.insert(training.end(), {"--model", "mlp:8", "--epochs", "2", "--batch", "10"});
  width_training.insert(width_training.end(), {"--epochs", "2", "--batch", "10"});
  return {"tiny",     training,  methods_with({"average", "elastic"}),
          {"2", "4"}, {"4"},     {"1", "2"},
          "4",        "4",       "0",
          50,         {"mlp:8"}, width_training,
          {"cosine"}, {"0.1"},   {"0", "1"},
          "0.02"};
}

/// One run: what it is for, and how it is made.
struct job {
  std::string purpose;  ///< width, tune or compare
  std::string method;   ///< title; of a width what is trained
  std::string workers;
  std::string period;
  std::string seed;
  std::string rate;    ///< of learning
  std::string second;  ///< value of the option beside it; empty: none
  std::vector<std::string> arguments;
  // Of a width:
  std::string alpha{}, lambda{}, schedule{};
  std::string curvature{}, momentum{};  ///< of a quadratic

  [[nodiscard]] bool on_quadratic() const { return !curvature.empty(); }
  [[nodiscard]] std::string command() const {
    if (!on_quadratic()) return command_of(arguments);
    return polder::text("quadratic: curvature ", curvature, ", momentum ", momentum, ", learning rate ", rate,
                        ", period ", period, ", pull ", alpha, ", push ", lambda, ", ", workers, " workers");
  }
};

/// What a method is run with.
struct values {
  std::string rate{};
  std::string second{};
};

inline job make_job(const run_set& set, bool tuning, const method& m, const std::string& workers,
                    const std::string& period, const std::string& seed, const values& with) {
  job j{tuning ? "tune" : "compare", m.title, workers, m.has_period ? period : "", seed, with.rate, with.second, {}};
  const auto add = [&j](const std::vector<std::string>& more) {
    j.arguments.insert(j.arguments.end(), more.begin(), more.end());
  };
  add(m.arguments);
  if (!m.second.empty()) add({m.second, with.second});
  add({"--workers", workers});
  if (m.has_period) add({"--period", period});
  add(set.training);
  add({"--partition", "iid", "--seed", seed, "--lr", with.rate, "--eval-every", "0"});
  return j;
}

/// lambda for a width that is aimed at; the product as it is written by hand.
[[nodiscard]] inline std::string push_for(const std::string& alpha, const std::string& width) {
  return polder::text(std::stod(alpha) * std::stod(width));
}

inline job width_job(const run_set& set, const std::string& network, const std::string& schedule,
                     const std::string& alpha, const std::string& width) {
  job j{"width", network, "4", "4", "1", set.width_rate, "", {}, alpha, push_for(alpha, width), schedule};
  j.arguments = {"--method", "dppf", "--pull", alpha, "--push", j.lambda, "--workers", j.workers, "--period", j.period};
  const auto add = [&j](const std::vector<std::string>& more) {
    j.arguments.insert(j.arguments.end(), more.begin(), more.end());
  };
  add(set.width_training);
  add({"--model", network, "--partition", "iid", "--seed", j.seed, "--lr", set.width_rate, "--lr-schedule", schedule});
  add({"--eval-every", "0"});
  return j;
}

inline job quadratic_job(const std::string& curvature, const std::string& momentum, const std::string& alpha,
                         const std::string& width) {
  return {"width",    "quadratic", "4",     "4", "1", "0.05", "", {}, alpha, push_for(alpha, width),
          "constant", curvature,   momentum};
}

}  // namespace polder_claims::dppf
