// The driver of a run: what it measures, when, and who is told.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/compress/measured.hpp"
#include "polder/compress/raw.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/choco.hpp"
#include "polder/mixing/none.hpp"
#include "polder/recipes/d_psgd.hpp"
#include "polder/recipes/dppf.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/fit.hpp"
#include "polder/update/chain.hpp"
#include "polder/update/weight_decay.hpp"
#include "support/catch.hpp"
#include "support/quadratics.hpp"
#include "support/team.hpp"

namespace {

using namespace polder;
using namespace polder::test;
using topology::mixing_matrix;

/// "Sample" i is correct where the first parameter is above i / size; its loss is the first parameter.
struct threshold_tests {
  std::size_t count = 16;
  [[nodiscard]] std::size_t size() const { return count; }
  [[nodiscard]] scores score(std::span<const float> x, std::span<const std::size_t> samples) const {
    scores s;
    for (const std::size_t i : samples) {
      s.loss += static_cast<double>(x[0]);
      s.correct += static_cast<double>(x[0]) > static_cast<double>(i) / static_cast<double>(count) ? 1.0 : 0.0;
      s.samples += 1.0;
    }
    return s;
  }
};

/// Worker m's loss is m + step; its gradient is -0.125 (m + 1) in the first coordinate and 0 elsewhere.
struct known_losses {
  int rank;
  std::uint64_t step = 0;
  void select_batch(std::uint64_t t) { step = t; }
  double loss_and_gradient(std::span<const float>, std::span<float> g) const {
    for (float& v : g) v = 0.0f;
    g[0] = -0.125f * static_cast<float>(rank + 1);
    return rank + static_cast<double>(step);
  }
};

/// A compressor that sends half of what it is given.
struct halved : raw {
  template <class T>
  std::size_t compress(no_compressor_state& s, std::span<const T> x, const layout& tensors, const stamp& which,
                       std::span<std::byte> out) const {
    std::vector<T> half(x.begin(), x.end());
    for (T& number : half) number /= 2;
    return raw::compress<T>(s, half, tensors, which, out);
  }
};

template <class Algorithm, class Tests>
std::vector<fit_result<float>> fit_team(const Algorithm& parts, int workers, const fit_options& options,
                                        const Tests& tests, std::map<std::uint64_t, evaluation>* curve = nullptr) {
  const auto weights = mixing_matrix::metropolis(topology::ring(workers));
  std::vector<fit_result<float>> results(static_cast<std::size_t>(workers));
  run_workers(workers, [&](auto& comm) {
    const std::vector<float> x0(3, 0.0f);
    known_losses f{comm.rank()};
    worker_options how;
    how.lr.base = 1.0;
    how.total_steps = options.total_steps();
    worker one(parts, eigen_backend{}, comm, weights, f, std::span<const float>(x0), how);
    fit_callbacks callbacks;
    if (curve != nullptr) callbacks.evaluated = [&](const evaluation& e) { (*curve)[e.epoch] = e; };
    results[static_cast<std::size_t>(comm.rank())] = fit(one, tests, options, callbacks);
  });
  return results;
}

TEST_CASE("an epoch is floor(floor(samples / workers) / batch) steps and must have one") {
  CHECK(steps_per_epoch(60000, 10, 32) == 187);
  CHECK(steps_per_epoch(100, 3, 11) == 3);
  CHECK_THROWS_WITH(steps_per_epoch(100, 4, 26), Catch::Contains("100 samples for 4 workers"));
}

TEST_CASE("the averaged model and the workers' own are evaluated apart, and every sample counts once") {
  // Without communication worker m stands at 0.25 (m + 1) after 2 steps of rate 1; the mean at 0.625.
  const algorithm parts{plain{}, chain<>{}, none{}};
  const fit_options options{.epochs = 1, .steps_per_epoch = 2, .batch = 8};
  const auto results = fit_team(parts, 4, options, threshold_tests{});
  const evaluation& e = results[0].last;
  CHECK(e.loss == 0.625);
  CHECK(e.accuracy_mean_model == 10.0 / 16.0);
  CHECK(e.accuracy_worker_min == 4.0 / 16.0);
  CHECK(e.accuracy_worker_mean == 10.0 / 16.0);
  CHECK(e.worker_test_samples == 16);
  CHECK(e.consensus_distance == Approx(std::sqrt((2 * 0.375 * 0.375 + 2 * 0.125 * 0.125) / 4.0)));
  CHECK(e.valley_width == Approx(0.25));
  CHECK(e.parameter_norm == Approx(0.625));
  CHECK(results[0].valley_width == Approx(0.25));
  CHECK(results[0].valley_width_before == 0.0);
  CHECK(results[0].mean[0] == 0.625f);
  CHECK(results[1].mean.empty());
  CHECK(results[3].param_hash == results[0].param_hash);
  CHECK(results[2].last.loss == e.loss);
}

TEST_CASE("more workers than test samples still evaluate every sample once") {
  auto parts = recipes::d_psgd();
  const auto results = fit_team(parts, 5, {.epochs = 1, .steps_per_epoch = 1}, threshold_tests{3});
  CHECK(results[0].last.accuracy_mean_model == Approx(2.0 / 3.0));
  CHECK(results[0].last.worker_test_samples == 3);
}

TEST_CASE("train_loss is the mean of the epoch's minibatch losses over all workers") {
  std::map<std::uint64_t, evaluation> curve;
  auto parts = recipes::d_psgd();
  const fit_options options{.epochs = 3, .steps_per_epoch = 2};
  (void)fit_team(parts, 4, options, threshold_tests{}, &curve);
  REQUIRE(curve.size() == 3);
  CHECK(curve[1].train_loss == Approx(1.5 + 0.5));
  CHECK(curve[2].train_loss == Approx(1.5 + 2.5));
  CHECK(curve[3].train_loss == Approx(1.5 + 4.5));
  CHECK(curve[2].step == 4);
  CHECK(curve[2].round == 4);
}

TEST_CASE(
    "evaluations come every so many epochs, of the own models on the asked number of samples, at the end on all") {
  std::map<std::uint64_t, evaluation> curve;
  auto parts = recipes::d_psgd();
  fit_options options{.epochs = 5, .steps_per_epoch = 1, .evaluate_every = 2, .evaluation_samples = 4};
  (void)fit_team(parts, 2, options, threshold_tests{}, &curve);
  REQUIRE(curve.size() == 3);
  CHECK(curve[2].worker_test_samples == 4);
  CHECK(curve[4].worker_test_samples == 4);
  // x = 0.375 on both workers: the averaged model is right on 6 of 16, the own ones on 2 of the samples 0, 4, 8, 12
  CHECK(curve[2].accuracy_mean_model == 0.375);
  CHECK(curve[2].accuracy_worker_min == 0.5);
  CHECK(curve[5].worker_test_samples == 16);
  curve.clear();
  options.evaluate_every = 0;
  (void)fit_team(parts, 2, options, threshold_tests{}, &curve);
  CHECK(curve.size() == 1);
}

TEST_CASE("the valley width is taken right after the last round, and before it as the reduction found it") {
  // Two workers on one line leave their mean by 0.0625 a step. Rounds after steps 2 and 4, and a short one after step 5.
  //   1st: 0.125 -> 0.0625 + 0.3 = 0.3625;   2nd: 0.4875 -> 0.24375 + 0.3 = 0.54375;   3rd: 0.60625 -> 0.603125
  auto parts = recipes::dppf({.tau = 2, .alpha = 0.5, .lambda = 0.3, .beta = 0.0});
  const auto results = fit_team(parts, 2, {.epochs = 1, .steps_per_epoch = 5}, threshold_tests{});
  CHECK(results[0].valley_width_before == Approx(0.60625));
  CHECK(results[0].valley_width == Approx(0.603125));
  CHECK(results[0].last.valley_width == Approx(0.603125));
}

TEST_CASE("what compression loses is told since the evaluation before, and for the whole run") {
  // Worker m moves by d = (m + 1) / 8 a step; gamma is so small that no worker moves another. A copy goes half the way
  // to its worker in each step, so that v = (2 - 2^(1-t)) d in step t, and half of it is lost.
  std::map<std::uint64_t, evaluation> curve;
  const algorithm parts{plain{}, weight_decay{0.0}, choco{measured{halved{}}, 1e-12}};
  const auto results = fit_team(parts, 2, {.epochs = 3, .steps_per_epoch = 2}, threshold_tests{}, &curve);
  REQUIRE(curve.size() == 3);
  const double squares = (1 + 4) / 64.0;  // of d, both workers
  double whole = 0.0;
  for (const std::uint64_t epoch : {1u, 2u, 3u}) {
    double input = 0.0;
    for (const double t : {2.0 * static_cast<double>(epoch) - 1, 2.0 * static_cast<double>(epoch)}) {
      input += std::pow(2 - std::pow(2.0, 1 - t), 2) * squares;
    }
    whole += input;
    CHECK(curve[epoch].compression.messages == 4.0);
    CHECK(curve[epoch].compression.input == Approx(input).epsilon(1e-6));
    CHECK(curve[epoch].compression.relative() == Approx(0.5).epsilon(1e-6));
    CHECK(curve[epoch].compression.length() == Approx(std::sqrt(input / 4 / 4)).epsilon(1e-6));
  }
  CHECK(results[1].compression.messages == 12.0);
  CHECK(results[1].compression.input == Approx(whole).epsilon(1e-6));
  CHECK(results[1].compression.relative() == Approx(0.5).epsilon(1e-6));
}

TEST_CASE("without a measured compressor nothing is told about compression") {
  std::map<std::uint64_t, evaluation> curve;
  const algorithm parts{plain{}, weight_decay{0.0}, choco{raw{}, 0.5}};
  const auto results = fit_team(parts, 2, {.epochs = 1, .steps_per_epoch = 2}, threshold_tests{}, &curve);
  CHECK(curve[1].compression.messages == 0.0);
  CHECK(results[0].compression.messages == 0.0);
  CHECK(std::isnan(results[0].compression.relative()));
}

TEST_CASE("a run that ends with a loss or parameters that are not finite is a failure, not a result") {
  struct hopeless : threshold_tests {
    [[nodiscard]] scores score(std::span<const float>, std::span<const std::size_t> samples) const {
      return {std::numeric_limits<double>::infinity(), 0.0, static_cast<double>(samples.size())};
    }
  };
  CHECK_THROWS_WITH(fit_team(recipes::d_psgd(), 2, {.epochs = 1}, hopeless{}),
                    Catch::Contains("after the last step, 1, the averaged model has a loss of inf"));
}

TEST_CASE("a run without steps or test samples is refused") {
  auto parts = recipes::d_psgd();
  CHECK_THROWS_AS(fit_team(parts, 2, {.epochs = 0}, threshold_tests{}), config_error);
  CHECK_THROWS_AS(fit_team(parts, 2, {.epochs = 1}, threshold_tests{0}), config_error);
}

TEST_CASE("a run of more steps than can be counted is refused, not cut short") {
  auto parts = recipes::d_psgd();
  const std::uint64_t epochs = (std::uint64_t{1} << 63) + 1;  // times 2 it wraps to 2
  CHECK_THROWS_AS(fit_team(parts, 2, {.epochs = epochs, .steps_per_epoch = 2}, threshold_tests{}), config_error);
}

}  // namespace
