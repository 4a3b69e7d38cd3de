// Which models are trained and measured.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "polder/core/error.hpp"

namespace polder_claims::sharpness {

/// To be raised when the same model would give other numbers: lines of an older version do not count.
inline constexpr std::uint64_t settings_version = 1;

/// How a model is trained. The learning rate is (1 - momentum) times the effective one.
struct job {
  std::string kind;   ///< mlp or cnn
  std::string width;  ///< hidden units; maps of the first convolution, of which the second has twice as many
  std::string batch;  ///< images of a step, per worker
  std::string rate;   ///< effective
  std::string momentum;
  std::string weight_decay;
  std::string seed;
  std::string shared;  ///< what all models of the set have in common
  std::string purpose = "measure";

  [[nodiscard]] std::string command() const {
    return polder::text(kind, ":", width, " batch ", batch, " rate ", rate, " momentum ", momentum, " weight-decay ",
                        weight_decay, " seed ", seed, ", ", shared);
  }
};

/// A hyperparameter that is varied, by its name and place in a job.
struct hyperparameter {
  std::string name;
  std::string job::*value;
};
inline const std::vector<hyperparameter>& hyperparameters() {
  static const std::vector<hyperparameter> all{{"batch", &job::batch},
                                               {"learning rate", &job::rate},
                                               {"momentum", &job::momentum},
                                               {"weight decay", &job::weight_decay},
                                               {"width", &job::width}};
  return all;
}

/// What all models of a set share.
struct run_set {
  std::string name;
  std::string dataset;
  std::size_t train_images = 0;
  std::size_t test_images = 0;  ///< 0: all
  std::uint64_t most_epochs = 0;
  std::size_t draws = 0;     ///< of the measures that are random; a fifth of it for PAC-Bayes
  std::size_t products = 0;  ///< of the Hessian at most, for the largest eigenvalue
  std::vector<std::string> widths_mlp, widths_cnn;
  std::vector<std::string> batches, rates, momenta, weight_decays, seeds;

  [[nodiscard]] std::string shared() const {
    return polder::text(dataset, " ", train_images, " images, at most ", most_epochs, " epochs, ", draws, " draws");
  }
};

inline constexpr int workers = 4;
inline constexpr std::uint64_t period = 4;
inline constexpr double pull = 0.1;
/// A model is trained until the mean loss of the workers' average on the training images is so small; others do not count.
inline constexpr double trained_loss = 0.01;
/// The level of a valley, and of epsilon-sharpness and PAC-Bayes, above the loss.
inline constexpr double rise = 0.1;

/// The sets by name: full, reduced (fewer models and draws) and tiny (the test of this program).
inline run_set set_named(std::string_view name) {
  run_set set{"full",
              "fashion-mnist",
              1000,
              0,
              600,
              50,
              60,
              {"32", "128"},
              {"4", "12"},
              {"5", "10", "25"},
              {"0.05", "0.15"},
              {"0", "0.9"},
              {"0", "0.001"},
              {"1", "2"}};
  if (name == "full") return set;
  if (name == "reduced") {
    set.name = "reduced";
    set.draws = 10;
    set.batches = {"5", "25"};
    set.momenta = {"0.9"};
    set.seeds = {"1"};
    return set;
  }
  polder::require<polder::config_error>(name == "tiny", "there is no set '", name,
                                        "': allowed are full, reduced, tiny");
  return {"tiny",  "digits",       120,  100, 400, 5, 12, {"8", "16"}, {"2"}, {"5", "10"}, {"0.5"},
          {"0.9"}, {"0", "0.001"}, {"1"}};
}

/// Calls once(job) for all models of a set, or those of one kind.
template <class Once>
void for_all_runs(const run_set& set, std::string_view part, Once& once) {
  for (const std::string kind : {"mlp", "cnn"}) {
    if (part != "all" && part != kind) continue;
    for (const std::string& seed : set.seeds) {
      for (const std::string& width : kind == "mlp" ? set.widths_mlp : set.widths_cnn) {
        for (const std::string& batch : set.batches) {
          for (const std::string& rate : set.rates) {
            for (const std::string& momentum : set.momenta) {
              for (const std::string& decay : set.weight_decays) {
                (void)once(job{kind, width, batch, rate, momentum, decay, seed, set.shared()});
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace polder_claims::sharpness
