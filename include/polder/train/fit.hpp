// polder — the run of one worker: epochs, evaluations, checkpoints, and the numbers that come out.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/comm/communicator.hpp"
#include "polder/core/error.hpp"
#include "polder/core/view.hpp"
#include "polder/objective/late_loss.hpp"
#include "polder/objective/objective.hpp"
#include "polder/objective/same_queue.hpp"
#include "polder/ops/arithmetic.hpp"
#include "polder/train/checkpoint.hpp"
#include "polder/train/counted_by.hpp"
#include "polder/train/evaluation.hpp"
#include "polder/train/fit_options.hpp"
#include "polder/train/metrics.hpp"

namespace polder {

namespace detail {

/// A run in progress.
template <class Worker, class Tests>
class fitting {
 public:
  using space = typename Worker::space;
  using value_type = typename Worker::value_type;
  static_assert(test_set<Tests, space, value_type>,
                "fit needs a test set with size() and score(x, samples) -> polder::scores; see polder/train/fit.hpp");

  fitting(Worker& worker, const Tests& tests, const fit_options& options, const fit_callbacks& callbacks)
      : worker_(worker),
        tests_(tests),
        options_(options),
        callbacks_(callbacks),
        last_round_(worker.rounds_in(options.total_steps())),
        norm_(worker.backend().template zeros<double>(1)) {}

  fit_result<value_type> run() {
    start();
    while (worker_.steps() < options_.total_steps()) {
      const std::uint64_t rounds = worker_.rounds();
      step();
      const std::uint64_t done = worker_.steps();
      if (worker_.rounds() != rounds && (worker_.rounds() == last_round_ || done == options_.total_steps())) {
        settle();
        state_.width = measure(worker_.backend(), worker_.comm(), worker_.x(), done, [](auto) {}).valley_width;
      }
      if (done % options_.steps_per_epoch == 0 && done < options_.total_steps())
        end_epoch(done / options_.steps_per_epoch);
      if (options_.checkpoints != nullptr && options_.checkpoint_every != 0 && done % options_.checkpoint_every == 0) {
        save();
      }
    }
    return finish();
  }

 private:
  using clock = std::chrono::steady_clock;

  void start() {
    resumed begin;
    if (options_.resume_from != nullptr) begin = options_.resume_from->resume(worker_, state_);
    if (options_.checkpoints != nullptr && options_.checkpoints != options_.resume_from) {
      options_.checkpoints->begin(worker_.comm());
    }
    if (worker_.rank() == 0 && callbacks_.begin) callbacks_.begin(begin);
  }

  void step() {
    const auto before = clock::now();
    const auto loss = worker_.step();
    state_.seconds += std::chrono::duration<double>(clock::now() - before).count();
    if constexpr (is_late<decltype(loss)>) {
      count_late();
      late_ = {loss, worker_.steps()};
    } else {
      count(loss, worker_.steps());
    }
  }
  void count(double loss, std::uint64_t steps) {
    state_.loss += loss;
    if (worker_.rank() == 0 && callbacks_.step) callbacks_.step(steps, loss);
  }
  /// Counts the last step's loss if it is late.
  void count_late() {
    const auto [loss, steps] = std::exchange(late_, {});
    if (steps != 0) count(loss, steps);
  }
  /// All that was begun is done, which is part of the training's time, and all losses are counted.
  void settle() {
    const auto before = clock::now();
    worker_.settle();
    if constexpr (late_backend<std::remove_cvref_t<decltype(worker_.backend())>>) {
      double any = 0.0;
      worker_.backend().to_host(norm_.view().as_const(), std::span<double>(&any, 1));
    }
    state_.seconds += std::chrono::duration<double>(clock::now() - before).count();
    count_late();
  }

  void end_epoch(std::uint64_t epoch) {
    settle();
    if (options_.evaluate_every != 0 && epoch % options_.evaluate_every == 0) {
      (void)evaluate(epoch, options_.evaluation_samples, nullptr);
    }
    state_.loss = 0.0;
  }

  fit_result<value_type> finish() {
    settle();
    fit_result<value_type> result;
    result.last = evaluate(options_.epochs, 0, &result.mean);
    for (const auto& mine : gather(uncounted(worker_.comm()), std::array{state_.evaluated, state_.evaluated_cross})) {
      result.compression += mine[0];
      result.compression_cross += mine[1];
    }
    require<non_finite_error>(std::isfinite(result.last.loss) && std::isfinite(result.last.parameter_norm),
                              "after the last step, ", worker_.steps(), ", the averaged model has a loss of ",
                              result.last.loss, " and a norm of ", result.last.parameter_norm,
                              "; lower the learning rate or clip the gradient (clip_norm)");
    result.evaluated_model = worker_.model_name();
    result.valley_width = state_.width;
    std::vector<double> gaps(worker_.last_gaps().size);
    worker_.backend().to_host(worker_.last_gaps(), std::span<double>(gaps));
    result.valley_width_before = agreement_of(gaps).valley_width;
    result.samples_per_second = static_cast<double>(options_.total_steps()) * static_cast<double>(options_.batch) *
                                static_cast<double>(worker_.comm().size()) / result.last.seconds;
    std::vector<value_type> x(worker_.x().size);
    worker_.backend().to_host(worker_.x(), std::span<value_type>(x));
    result.consensus_step = worker_.consensus_step();
    result.param_hash = param_hash(worker_.comm(), std::span<const value_type>(x));
    return result;
  }

  void save() {
    settle();
    const double before = state_.bytes_sent;
    state_.bytes_sent += sent_by(worker_.comm());
    options_.checkpoints->save(worker_, state_);
    state_.bytes_sent = before;
  }

  /// Measures the workers and tries the models: the averaged one on all test samples, each worker taking an equal share of
  /// them, and every worker's own on `count` of them (0: all).
  evaluation evaluate(std::uint64_t epoch, std::size_t count, std::vector<value_type>* keep) {
    const auto& backend = worker_.backend();
    const auto workers = static_cast<std::size_t>(worker_.comm().size());
    const auto rank = static_cast<std::size_t>(worker_.rank());
    const std::vector<std::size_t> all = spread_samples(tests_.size(), 0);
    const std::size_t first = all.size() * rank / workers;
    const auto share = std::span(all).subspan(first, all.size() * (rank + 1) / workers - first);
    const std::vector<std::size_t> some = spread_samples(tests_.size(), count);

    struct findings {
      scores mean_model, own_model;
      double loss = 0.0, seconds = 0.0, bytes_sent = 0.0;
      compression_sums compression{}, compression_cross{};
    } mine;
    double squared_norm = 0.0;
    const auto x = worker_.x();
    const auto model = worker_.model();
    const auto look = [&](auto mean) {
      backend.sum(mean.size, ops::square{}, norm_.view(), in(mean));
      backend.to_host(norm_.view().as_const(), std::span<double>(&squared_norm, 1));
      if (!share.empty()) mine.mean_model = tests_.score(argument<space, const value_type>(mean), share);
      if (keep != nullptr && rank == 0) {
        keep->resize(mean.size);
        backend.to_host(mean, std::span<value_type>(*keep));
      }
    };
    const bool apart = model.data != x.data;
    const agreement agreed = measure(backend, worker_.comm(), x, worker_.steps(), [&](auto mean) {
      if (!apart) look(mean);
    });
    if (apart) (void)measure(backend, worker_.comm(), model, worker_.steps(), look);
    const double direction =
        agreed.valley_width > 0.0 ? mean_direction(backend, worker_.comm(), x, worker_.steps()) : 0.0;
    mine.own_model = score_own_model(some);
    mine.loss = state_.loss;
    mine.seconds = state_.seconds;
    mine.bytes_sent = state_.bytes_sent + sent_by(worker_.comm());
    mine.compression = since_last(state_.evaluated, "mixing.");
    mine.compression_cross = since_last(state_.evaluated_cross, "gradient.");

    evaluation e{.epoch = epoch, .step = worker_.steps(), .round = worker_.rounds()};
    e.accuracy_worker_min = 1.0;
    scores mean_model;
    double loss = 0.0;
    for (const findings& other : gather(uncounted(worker_.comm()), mine)) {
      mean_model += other.mean_model;
      e.compression += other.compression;
      e.compression_cross += other.compression_cross;
      loss += other.loss;
      e.accuracy_worker_mean += other.own_model.accuracy() / static_cast<double>(workers);
      e.accuracy_worker_min = std::min(e.accuracy_worker_min, other.own_model.accuracy());
      e.bytes_sent_per_worker += other.bytes_sent / static_cast<double>(workers);
      e.bytes_sent_per_worker_max = std::max(e.bytes_sent_per_worker_max, other.bytes_sent);
      e.seconds = std::max(e.seconds, other.seconds);
    }
    e.train_loss = loss / static_cast<double>(workers) / static_cast<double>(options_.steps_per_epoch);
    e.loss = mean_model.mean_loss();
    e.accuracy_mean_model = mean_model.accuracy();
    e.consensus_distance = agreed.consensus_distance;
    e.valley_width = agreed.valley_width;
    e.mean_direction = direction;
    e.parameter_norm = std::sqrt(squared_norm);
    e.worker_test_samples = some.size();
    if (rank == 0 && callbacks_.evaluated) callbacks_.evaluated(e);
    return e;
  }

  /// What a rule's compressors have counted since the last evaluation, `before`, which becomes now.
  compression_sums since_last(compression_sums& before, std::string_view rule) {
    const compression_sums now = measured_by(worker_, rule);
    return now - std::exchange(before, now);
  }

  /// In parts that all workers begin together, so that many workers on few processors stay within the deadline.
  scores score_own_model(std::span<const std::size_t> samples) {
    const std::size_t part = std::max<std::size_t>(1, 8192 / static_cast<std::size_t>(worker_.comm().size()));
    scores sum;
    for (std::size_t first = 0; first < samples.size(); first += part) {
      const auto some = samples.subspan(first, std::min(part, samples.size() - first));
      sum += tests_.score(argument<space, const value_type>(worker_.x()), some);
      (void)gather(uncounted(worker_.comm()), char{});
    }
    return sum;
  }

  Worker& worker_;
  const Tests& tests_;
  const fit_options& options_;
  const fit_callbacks& callbacks_;
  std::uint64_t last_round_;
  buffer_t<std::remove_cvref_t<decltype(std::declval<const Worker&>().backend())>, double> norm_;
  fit_state state_;
  struct {
    late_loss loss;
    std::uint64_t steps = 0;  // 0: it has been counted
  } late_;                    // of the last step
};

}  // namespace detail

/// Drives a worker to the end of its run. All workers call it together with the same options.
///
/// Evaluation is measured, not trained: its bytes and seconds are counted nowhere. It costs three reductions, one forward pass
/// of each test sample for all workers together, and evaluation_samples of each worker for its own model (at the end: all).
/// Everything that decides the numbers is in the worker and its checkpoints: a run that was killed and resumed ends with
/// the same parameters, evaluations, bytes and hash; only seconds are those that both parts took.
/// Errors: those of worker, checkpoint_folder and the test set; non_finite_error for a run that ends so; config_error for a run without steps or test samples.
template <class Worker, class Tests>
[[nodiscard]] fit_result<typename Worker::value_type> fit(Worker& worker, const Tests& tests,
                                                          const fit_options& options,
                                                          const fit_callbacks& callbacks = {}) {
  require<config_error>(options.epochs > 0 && options.steps_per_epoch > 0,
                        "a run needs at least 1 epoch of at least 1 step");
  require<config_error>(options.epochs <= std::numeric_limits<std::uint64_t>::max() / options.steps_per_epoch,
                        "a run of ", options.epochs, " epochs of ", options.steps_per_epoch,
                        " steps each has more steps than 64 bits can count: take fewer epochs");
  detail::require_same_queue(tests, worker.backend(), "test set");
  require<config_error>(tests.size() > 0, "a run needs at least 1 test sample");
  return detail::fitting<Worker, Tests>(worker, tests, options, callbacks).run();
}

}  // namespace polder
