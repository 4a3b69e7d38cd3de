// polder — synchronization rules: after which local step a round ends.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/schedule.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder {

/// synchronization rule — obligations of a rule `p`, the period of `every{p, mixing}`:
///
///  1. `p.template init<T>(backend, layout)` returns its state by value; `state.visit(v)` visits what a checkpoint holds.
///  2. `p.ends_round(ctx, state)` is called once in every local step, when the half step is made: whether the round ends
///     with it. The same answer on every worker. The first round ends at the earliest after step 1.
///  3. `p.rounds_in(steps, rates)` is the number of rounds of a run of that many steps; 0 where only the run can tell.
///  4. `p.keeps_start`: whether the parameters at the start of a round must be kept, as `ctx.params.anchor()`.
///  5. Optional: `p.ends_round(step, total_steps)` for rules that are a function of the step alone, in a run of
///     total_steps (0 where unknown).

namespace detail {

/// The state of rules that have none.
struct no_state {
  template <class Visitor>
  void visit(Visitor&&) {}
};
/// The steps left of a run of `total` when `done` are done; no limit where the length is not known.
[[nodiscard]] inline std::uint64_t steps_left(std::uint64_t total, std::uint64_t done) {
  return total > done ? total - done : total == 0 ? ~std::uint64_t{0} : 0;
}
/// The rounds of a run of `steps` in rounds of tau; the last one may be shorter.
[[nodiscard]] constexpr std::uint64_t rounds_of(std::uint64_t steps, std::uint64_t tau) {
  return steps / tau + (steps % tau != 0 ? 1 : 0);
}
/// A period as a whole number from 1 to `most`.
[[nodiscard]] inline std::uint64_t whole_period(double period, std::uint64_t most) {
  if (!(period < static_cast<double>(most))) return std::max<std::uint64_t>(most, 1);
  return std::max<std::uint64_t>(static_cast<std::uint64_t>(period), 1);
}

}  // namespace detail

/// A round after local steps tau, 2 tau, …; tau >= 1. As with every rule, the last round ends with the run, if its length is
/// known.
struct constant_period {
  std::uint64_t tau = 1;
  constexpr constant_period(std::uint64_t steps = 1) : tau(steps) {}

  static constexpr bool keeps_start = false;
  template <class T, tensor_backend B>
  [[nodiscard]] detail::no_state init(const B&, const layout&) const {
    require<config_error>(tau >= 1, "every: tau is 0 but a round has at least 1 step");
    return {};
  }
  [[nodiscard]] bool ends_round(std::uint64_t step, std::uint64_t total_steps) const {
    return (step + 1) % tau == 0 || step + 1 == total_steps;
  }
  template <class Context>
  [[nodiscard]] bool ends_round(Context& ctx, detail::no_state&) const {
    return ends_round(ctx.step, ctx.total_steps);
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps, const learning_rate&) const {
    return detail::rounds_of(steps, tau);
  }
};

/// Post-local: a round after each of the first `start` steps, then one every tau steps.
///
/// Parameters: start, steps; tau >= 1 as in constant_period, or 0: no round but the last step of the run, whose length must
/// then be known: with averaging, SWAP. Default 16, the period of the authors' example.
/// Source: Lin, Stich, Patel, Jaggi, "Don't Use Large Mini-Batches, Use Local SGD", ICLR 2020.
struct post_local {
  std::uint64_t start = 0;
  std::uint64_t tau = 16;

  static constexpr bool keeps_start = false;
  template <class T, tensor_backend B>
  [[nodiscard]] detail::no_state init(const B&, const layout&) const {
    return {};
  }
  template <class Context>
  [[nodiscard]] bool ends_round(Context& ctx, detail::no_state&) const {
    const std::uint64_t done = ctx.step + 1;
    if (done <= start) return true;
    require<config_error>(tau > 0 || ctx.total_steps > 0,
                          "post_local: tau is 0, one round at the end of the run: set total_steps of the worker");
    return done == ctx.total_steps || (tau > 0 && (done - start) % tau == 0);
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps, const learning_rate&) const {
    if (steps <= start) return steps;
    return start + (tau > 0 ? detail::rounds_of(steps - start, tau) : 1);
  }
};

/// The quadratic synchronization rule (QSR) and its relatives of other powers: longer rounds while the learning rate falls.
///
///     tau = max(1, min(max(least, floor((alpha / eta)^power)), T - t))       right after a round, with the next step's eta
///
/// t: steps done, T: steps of the run, so that the last round ends with the run. While the learning rate warms up, and
/// for alpha = 0, tau is `warmup_tau`.
///
/// Parameters: alpha >= 0, a learning rate; there is no default that suits: 0, a constant period. power 1, 2 (default, the
/// paper's rule) or 3. least >= 1; default 4. warmup_tau >= 1, 0: `least`.
/// Errors: config_error for another power, alpha < 0, or if the length of the run is not known.
/// Source: Gu, Lyu, Arora, Zhang, Huang, "A Quadratic Synchronization Rule for Distributed Deep Learning", ICLR 2024
/// (arXiv:2310.14423), and the authors' code.
struct qsr {
  double alpha = 0.0;
  int power = 2;
  std::uint64_t least = 4;
  std::uint64_t warmup_tau = 0;

  static constexpr bool keeps_start = false;
  struct state {
    std::uint64_t tau = 0;   // of the round under way; 0: none yet
    std::uint64_t done = 0;  // steps of it
    template <class Visitor>
    void visit(Visitor&& visitor) {
      visitor("qsr.tau", tau);
      visitor("qsr.done", done);
    }
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state init(const B&, const layout&) const {
    require<config_error>(alpha >= 0.0 && std::isfinite(alpha), "qsr: alpha is ", alpha,
                          " but must be a finite number >= 0");
    require<config_error>(power >= 1 && power <= 3, "qsr: power is ", power, " but must be 1, 2 or 3");
    require<config_error>(least >= 1, "qsr: least is 0 but a round has at least 1 step");
    return {};
  }
  /// The period of a round that begins after `done` steps.
  [[nodiscard]] std::uint64_t period(std::uint64_t done, std::uint64_t total, const learning_rate& rates) const {
    const std::uint64_t left = detail::steps_left(total, done);
    if (alpha == 0.0 || done < rates.warmup_steps) return std::min(warmup_tau > 0 ? warmup_tau : least, left);
    require<config_error>(total > 0,
                          "qsr: rounds follow the learning rate over the run: set total_steps of the worker");
    const double ratio = std::floor(std::pow(alpha / rates.at(done, total), power));
    return detail::whole_period(std::max(static_cast<double>(least), ratio), left);
  }
  template <class Context>
  [[nodiscard]] bool ends_round(Context& ctx, state& s) const {
    if (s.tau == 0) s.tau = period(0, ctx.total_steps, ctx.rates);
    if (++s.done < s.tau) return false;
    s = {period(ctx.step + 1, ctx.total_steps, ctx.rates), 0};
    return true;
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps, const learning_rate& rates) const {
    std::uint64_t rounds = 0;
    for (std::uint64_t done = period(0, steps, rates); done <= steps && steps > 0; ++rounds) {
      if (done == steps) return rounds + 1;
      done += period(done, steps, rates);
    }
    return rounds;
  }
};

/// Shorter rounds while the loss falls, longer ones while the learning rate does, in the manner of AdaComm:
///
///     tau_k = ceil(tau sqrt(eta_0 / eta_k F_k / F_0))      right after round k, with the next step's eta
///
/// F_k is the mean of all workers' minibatch losses in round k. The last round ends with the run, if its length is known.
///
/// Parameters: tau >= 1, of the first round; default 16, a choice of this library. Losses must not be below 0.
/// Sends 8 bytes to everyone from each worker in a round. Source: after Wang, Joshi, "Adaptive Communication Strategies to
/// Achieve the Best Error-Runtime Trade-off in Local-Update SGD", MLSys 2019. Departures: the form above is this
/// library's; periods change right after rounds, not at times of a clock.
struct loss_adaptive {
  std::uint64_t tau = 16;

  static constexpr bool keeps_start = false;
  struct state {
    std::uint64_t tau = 0;
    std::uint64_t done = 0;
    double losses = 0.0;      // sum of this round's
    double first_loss = 0.0;  // F_0
    template <class Visitor>
    void visit(Visitor&& visitor) {
      visitor("loss_adaptive.tau", tau);
      visitor("loss_adaptive.done", done);
      visitor("loss_adaptive.losses", losses);
      visitor("loss_adaptive.first_loss", first_loss);
    }
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state init(const B&, const layout&) const {
    require<config_error>(tau >= 1, "loss_adaptive: tau is 0 but a round has at least 1 step");
    return {tau, 0, 0.0, 0.0};
  }
  template <class Context>
  [[nodiscard]] bool ends_round(Context& ctx, state& s) const {
    s.losses += ctx.loss;
    ++s.done;
    const std::uint64_t left = detail::steps_left(ctx.total_steps, ctx.step + 1);
    if (s.done < s.tau && left > 0) return false;
    const double mine = s.losses / static_cast<double>(s.done);
    double mean = 0.0;
    for (const double loss : ctx.gather(std::span<const double>(&mine, 1))) mean += loss / ctx.comm.size();
    require<config_error>(mean >= 0.0, "loss_adaptive: the mean loss of a round is ", mean,
                          " but periods follow losses >= 0: take another synchronization rule");
    if (ctx.round == 0) s.first_loss = mean;
    const double fallen = s.first_loss > 0.0 ? mean / s.first_loss : 1.0;
    const double rate = ctx.rates.at(ctx.step + 1, ctx.total_steps);
    const double slower = rate > 0.0 ? ctx.rates.at(0, ctx.total_steps) / rate : 1.0;
    s.tau = detail::whole_period(std::ceil(static_cast<double>(tau) * std::sqrt(slower * fallen)), left);
    s.done = 0;
    s.losses = 0.0;
    return true;
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t /*steps*/, const learning_rate&) const { return 0; }
};

/// A round when a worker has gone too far since the last one, in the manner of dynamic averaging:
///
///     max_m ||x_m_half - x_m_start|| > distance              x_m_start: the parameters at the start of the round
///
/// The last round ends with the run, if its length is known.
///
/// Parameters: distance >= 0, a length in parameter space; default 1, which suits no network: compare it with how far a
/// step goes. 0: every step. look_every >= 1: steps between two looks; default 1.
/// Keeps one more vector, and costs a pass of 8 bytes per float32 parameter for each look, on a device one wait. Sends 8
/// bytes to everyone from each worker for each look.
/// Source: after Kamp et al., "Efficient Decentralized Deep Learning by Dynamic Model Averaging", ECML PKDD 2018.
/// Departures: all workers' distances are gathered; the form above is this library's.
struct drift_triggered {
  double distance = 1.0;
  std::uint64_t look_every = 1;

  static constexpr bool keeps_start = true;
  template <class B>
  struct state {
    std::uint64_t done = 0;
    buffer_t<B, double> squared;
    template <class Visitor>
    void visit(Visitor&& visitor) {
      visitor("drift_triggered.done", done);
    }
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state<B> init(const B& backend, const layout&) const {
    require<config_error>(distance >= 0.0 && std::isfinite(distance), "drift_triggered: distance is ", distance,
                          " but must be a finite number >= 0");
    require<config_error>(look_every >= 1, "drift_triggered: look_every is 0 but must be at least 1 step");
    return {0, backend.template zeros<double>(1)};
  }
  template <class Context, class B>
  [[nodiscard]] bool ends_round(Context& ctx, state<B>& s) const {
    const bool last = detail::steps_left(ctx.total_steps, ctx.step + 1) == 0;
    ++s.done;
    if (!last && s.done % look_every != 0) return false;
    bool far = last;
    if (!last) {
      ctx.backend.sum(ctx.params.size(), ops::squared_difference{}, s.squared.view(), in(ctx.params.half()),
                      in(ctx.params.anchor()));
      double mine = 0.0;
      ctx.backend.to_host(s.squared.view().as_const(), std::span<double>(&mine, 1));
      for (const double squared : ctx.gather(std::span<const double>(&mine, 1))) {
        far = far || std::sqrt(squared) > distance;
      }
    }
    if (far) s.done = 0;
    return far;
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t /*steps*/, const learning_rate&) const { return 0; }
};

}  // namespace polder
