// polder — schedules: a hyperparameter as a function of the step.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "polder/core/error.hpp"

namespace polder {

/// The learning rate as a function of the step t = 0, 1, …, total - 1.
///
///     warm-up   eta_t = base (t + 1) / warmup_steps                                 for t < warmup_steps
///     constant  eta_t = base
///     steps     eta_t = base factor^(number of milestones m with t >= m total)      (milestones are fractions)
///     swa       eta_t = base for s < 0.5, floor for s >= 0.9, between them on a line;    s = t / (swa_start total)
///     cosine    eta_t = floor + (base - floor) (1 + cos(pi s)) / 2,  s = (t - warmup) / (total - warmup)
///
/// Defaults of `steps`: a factor of 0.1 at 50 % and 75 % of the run, the habit of the decentralized-learning
/// literature (Lin et al. 2021).
struct learning_rate {
  enum class shape { constant, steps, cosine, swa };

  double base = 0.1;  ///< > 0 (0 is allowed: nothing moves)
  shape kind = shape::constant;
  std::uint64_t warmup_steps = 0;
  double factor = 0.1;                        ///< of each drop, `steps` only
  std::vector<double> milestones{0.5, 0.75};  ///< fractions of the run, ascending, `steps` only
  double floor = 0.0;                         ///< where the cosine ends, and the rate while weights are averaged
  double swa_start = 0.805;                   ///< fraction of the run, > 0; 161 of 200 epochs: the authors of SWA

  [[nodiscard]] double at(std::uint64_t step, std::uint64_t total) const {
    if (step < warmup_steps) return base * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
    if (kind == shape::steps) {
      double rate = base;
      for (const double milestone : milestones) {
        if (static_cast<double>(step) >= milestone * static_cast<double>(total)) rate *= factor;
      }
      return rate;
    }
    if (kind == shape::swa) {
      const double s = static_cast<double>(step) / (swa_start * static_cast<double>(total));
      return s < 0.5 ? base : s >= 0.9 ? floor : base + (floor - base) * (s - 0.5) / 0.4;
    }
    if (kind == shape::cosine) {
      const double length = static_cast<double>(std::max<std::uint64_t>(total, warmup_steps + 1) - warmup_steps);
      const double progress = std::min(1.0, static_cast<double>(step - warmup_steps) / length);
      return floor + (base - floor) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
    }
    return base;
  }
};

/// The push strength as a function of the round k = 0, 1, …, K - 1 of K:
///
///     fixed       lambda_k = lambda
///     increasing  lambda_k = lambda / 2 (1 - cos(pi k / K))
///     decreasing  lambda_k = lambda / 2 (1 + cos(pi k / K))      (ends in collapse: the width goes to zero)
enum class push_schedule { fixed, increasing, decreasing };

[[nodiscard]] inline double scheduled_push(push_schedule kind, double lambda, std::uint64_t round,
                                           std::uint64_t total_rounds) {
  if (kind == push_schedule::fixed) return lambda;
  require<config_error>(total_rounds > 0,
                        "an increasing or decreasing push needs the number of rounds of the run: set "
                        "total_steps of the worker, and no synchronization rule that follows the run itself");
  const double c = std::cos(std::numbers::pi * static_cast<double>(round) / static_cast<double>(total_rounds));
  return 0.5 * lambda * (kind == push_schedule::increasing ? 1.0 - c : 1.0 + c);
}

}  // namespace polder
