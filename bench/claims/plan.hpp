// What is run: the methods, the grid that each is tuned on, and the runs that are compared. Every run is a command line of
// polder-train.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "claims/train_run.hpp"
#include "polder/core/error.hpp"

namespace polder_claims {

/// To be raised when the same command line would give other numbers: lines of an older version do not count.
inline constexpr std::uint64_t settings_version = 1;

/// What the messages of a run are compressed with: parameters and, where gradients go back, these as well.
struct codec {
  std::string aim;                 ///< how many times fewer bytes it must send at least
  std::string name;                ///< as polder-train --compress has it
  std::vector<std::string> steps;  ///< values of the consensus step that are tried
};

/// A method, and the values that it is tuned over: five runs each, whatever the method.
struct method {
  std::string title;
  std::string name;        ///< as polder-train --method has it
  std::string compressed;  ///< the method with --compress; empty: none
  std::vector<std::string>
      bases{};  ///< titles of the methods that it is compared with; the first is the one without SAM
  bool cross_gradients = false;
  std::vector<std::string> rates{"0.005", "0.01", "0.02", "0.04", "0.08"};  ///< of learning
  std::vector<std::string> radii{};  ///< rho; the first while learning rates are tried, the others at the best of these

  [[nodiscard]] bool sharpness_aware() const { return !radii.empty(); }
};

inline const std::vector<method>& methods() {
  static const std::vector<method> all{
      {"DSGDm-N", "dsgdm_n", ""},
      {"QGM", "qgm", "comp_q_saddle"},
      {"Q-SADDLe",
       "q_saddle",
       "comp_q_saddle",
       {"QGM", "DSGDm-N"},
       false,
       {"0.01", "0.02", "0.04"},
       {"0.1", "0.05", "0.2"}},
      {"NGM", "ngm", "comp_ngm", {}, true},
      {"CGA", "cga", "", {}, true},
      {"N-SADDLe", "n_saddle", "comp_n_saddle", {"NGM", "CGA"}, true, {"0.01", "0.02", "0.04"}, {"0.1", "0.05", "0.2"}},
  };
  return all;
}

inline const method& method_titled(std::string_view title) {
  for (const method& m : methods()) {
    if (m.title == title) return m;
  }
  polder::fail<polder::config_error>("there is no method '", title, "' in the claims");
}

struct graph {
  std::string name;  ///< as polder-train --topology has it
  std::string workers;
};
inline const graph ring{"ring", "10"};
inline const graph torus{"torus:4x4", "16"};

/// What all runs of a set share.
struct run_set {
  std::string name;
  std::vector<std::string> training;    ///< data, model and length of the runs
  std::vector<std::string> evaluation;  ///< of the runs that are compared; tuning evaluates at the end only
  std::vector<std::string> alphas;      ///< of the Dirichlet partition
  std::vector<std::string> seeds;
  std::string tuning_alpha;
  std::string tuning_seed;  ///< none of those that are compared
  std::size_t flatness_images = 2000;
  std::vector<codec> codecs;
};

/// The sets by name: full, reduced (one seed, one alpha, one codec) and tiny (the test of this program).
inline run_set set_named(std::string_view name) {
  const std::vector<std::string> steps{"1", "0.7", "0.4"};
  const std::vector<codec> codecs{{"4", "qsgd:7:256", steps}, {"8", "qsgd:3:64", steps}};
  run_set full{
      "full",
      {"--dataset", "fashion-mnist", "--model", "lenet5", "--train-limit", "20000", "--epochs", "10", "--batch", "16"},
      {"--eval-every", "2", "--eval-samples", "200"},
      {"0.1", "0.01"},
      {"1", "2", "3"},
      "0.01",
      "0",
      2000,
      codecs};
  if (name == "full") return full;
  if (name == "reduced") {
    full.name = "reduced";
    full.alphas = {"0.01"};
    full.seeds = {"1"};
    full.codecs.resize(1);
    return full;
  }
  polder::require<polder::config_error>(name == "tiny", "there is no set '", name,
                                        "': allowed are full, reduced, tiny");
  return {"tiny",
          {"--dataset", "digits", "--model", "mlp:8", "--train-limit", "800", "--test-limit", "100", "--epochs", "2",
           "--batch", "10"},
          {"--eval-every", "1", "--eval-samples", "10"},
          {"0.1"},
          {"1", "2"},
          "0.1",
          "0",
          50,
          codecs};
}

/// What a run is made with.
struct values {
  std::string rate{};          ///< of learning
  std::string rho{};           ///< empty where the method has none
  std::string codec = "none";  ///< none: not compressed
  std::string gamma{};         ///< consensus step with a codec
};

/// One run: what it is for, and how polder-train is called.
struct job {
  std::string purpose;  ///< tune or compare
  std::string method;   ///< title
  std::string graph;
  std::string alpha;
  std::string seed;
  values with;
  std::vector<std::string> arguments;

  [[nodiscard]] std::string command() const { return command_of(arguments); }
};

inline job make_job(const run_set& set, bool tuning, const method& m, const graph& on, const std::string& alpha,
                    const std::string& seed, const values& with) {
  const bool compressed = with.codec != "none";
  job j{tuning ? "tune" : "compare", m.title, on.name, alpha, seed, with, {}};
  const auto add = [&j](const std::vector<std::string>& more) {
    j.arguments.insert(j.arguments.end(), more.begin(), more.end());
  };
  add({"--method", compressed ? m.compressed : m.name, "--topology", on.name, "--workers", on.workers});
  add(set.training);
  add({"--partition", "dirichlet:" + alpha, "--seed", seed, "--lr", with.rate});
  // Compressed Q-SADDLe with a radius of 0 is compressed QGM.
  if (m.sharpness_aware()) add({"--rho", with.rho});
  if (!m.sharpness_aware() && compressed && m.compressed == "comp_q_saddle") add({"--rho", "0"});
  if (compressed) {
    add({"--compress", with.codec});
    if (m.cross_gradients) add({"--compress-cross", with.codec});
    add({"--gamma", with.gamma, "--measure-compression", "on"});
  }
  if (tuning) {
    add({"--eval-every", "0"});
  } else {
    add(set.evaluation);
  }
  return j;
}

}  // namespace polder_claims
