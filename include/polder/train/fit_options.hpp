// polder — what a run is given, whom it tells, and what it ends with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "polder/train/checkpoint.hpp"
#include "polder/train/evaluation.hpp"

namespace polder {

/// What a run with parameters of type T ends with. The same on all workers but for `mean`.
template <class T>
struct fit_result {
  evaluation last;                   ///< on all test samples
  double valley_width = 0.0;         ///< right after the last round, NaN in a run without a round
  double valley_width_before = 0.0;  ///< as the last reduction found it, before pull and push; 0 if nothing was reduced
  double samples_per_second = 0.0;   ///< of all workers together
  std::uint64_t param_hash = 0;      ///< of all workers' parameters
  std::optional<double> consensus_step{};  ///< gamma of the mixing rule, set or derived; nothing if it has none
  /// Of all workers and the whole run, in the mixing rule and of gradients; 0 where nothing is `measured`.
  compression_sums compression{}, compression_cross{};
  std::string evaluated_model;  ///< what was evaluated, in words
  std::vector<T> mean;          ///< the evaluated model; on worker 0 only
};

/// How a run is driven.
struct fit_options {
  std::uint64_t epochs = 1;
  std::uint64_t steps_per_epoch = 1;
  std::size_t batch = 1;                     ///< for samples_per_second only
  std::uint64_t evaluate_every = 1;          ///< epochs; 0: at the end only
  std::size_t evaluation_samples = 2000;     ///< for the workers' own models during the run, spread evenly; 0: all
  std::uint64_t checkpoint_every = 0;        ///< steps; 0: never
  checkpoint_folder* checkpoints = nullptr;  ///< where they go
  checkpoint_folder* resume_from = nullptr;  ///< where the run goes on from

  [[nodiscard]] std::uint64_t total_steps() const { return epochs * steps_per_epoch; }
};

/// Whom a run tells what happens; called on worker 0 only.
struct fit_callbacks {
  std::function<void(const resumed&)> begin;  ///< before the first step
  /// After each step, with the own minibatch's loss; a step later where losses are late (late_loss).
  std::function<void(std::uint64_t steps, double loss)> step;
  std::function<void(const evaluation&)> evaluated;  ///< after each evaluation, the last one included
};

namespace detail {

/// What `fit` itself must remember from step to step.
struct fit_state {
  double loss = 0.0;                                        ///< sum of this epoch's minibatch losses
  double seconds = 0.0;                                     ///< of training
  double bytes_sent = 0.0;                                  ///< before this process took over
  double width = std::numeric_limits<double>::quiet_NaN();  ///< after the last round
  compression_sums evaluated, evaluated_cross;              ///< up to the last evaluation, on this worker

  template <class Visitor>
  void visit(Visitor&& visitor) {
    visitor("loss", loss);
    visitor("seconds", seconds);
    visitor("bytes_sent", bytes_sent);
    visitor("width", width);
    visitor("evaluated_messages", evaluated.messages);
    visitor("evaluated_input", evaluated.input);
    visitor("evaluated_lost", evaluated.lost);
    visitor("evaluated_cross_messages", evaluated_cross.messages);
    visitor("evaluated_cross_input", evaluated_cross.input);
    visitor("evaluated_cross_lost", evaluated_cross.lost);
  }
};

}  // namespace detail
}  // namespace polder
