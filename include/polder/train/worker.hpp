// polder — the worker: the only step loop there is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/comm/communicator.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/schedule.hpp"
#include "polder/gradient/evaluate.hpp"
#include "polder/gradient/part.hpp"
#include "polder/mixing/part.hpp"
#include "polder/objective/common_start.hpp"
#include "polder/objective/context.hpp"
#include "polder/objective/finite.hpp"
#include "polder/objective/objective.hpp"
#include "polder/objective/parameters.hpp"
#include "polder/objective/same_queue.hpp"
#include "polder/ops/arithmetic.hpp"
#include "polder/ops/update.hpp"
#include "polder/topology/mixing_matrix.hpp"
#include "polder/train/algorithm.hpp"
#include "polder/train/rules.hpp"
#include "polder/update/chain.hpp"

namespace polder {

/// What a worker must know of the run besides its algorithm.
struct worker_options {
  learning_rate lr{};             ///< as a function of the step
  std::uint64_t total_steps = 0;  ///< of the run; schedules need it
  bool check_gradient = false;  ///< stop at once on a gradient that is not finite: one more pass (4 bytes per float32)
  bool equal_start = true;      ///< refuse to start unless all workers have the same parameters, bit for bit
};

/// One worker of a run: its parameters, the states of its algorithm's parts, and the step loop.
///
///     loss   = gradient(f, x) -> g                           evaluations of the objective; cross-gradients also talk
///     x_half = x - eta update(g, x, state…)                  one pass
///     x      = mixing(x_half, neighbors…)                    one pass; update rules observe it there
///
/// All workers of a run construct and call in the same order. Objects referred to must outlive the worker.
/// Steady state: no allocation in `step()`.
/// Errors: config_error for parts or a mixing matrix that do not suit, or if the workers' parameters differ at the
/// start; non_finite_error that names worker and step for a loss that is not finite, one step later for a late one;
/// comm_error as the communicator.
template <class Gradient, class Update, class Mixing, tensor_backend B, communicator C, class F, class T>
class worker {
  static_assert(std::is_floating_point_v<T>, "parameters are float or double");
  static_assert(detail::gradient_rule<Gradient, context<B, C, T>, F>,
                "the first part of an algorithm takes the gradient: plain, sam, asam or cross_gradients; see "
                "docs/reference/parts.md");
  static_assert(
      detail::update_rule<Update, context<B, C, T>>,
      "the second part of an algorithm makes the update: momentum, quasi_global_momentum, a chain of rules, …; "
      "see docs/reference/parts.md");
  static_assert(detail::mixing_rule<Mixing, context<B, C, T>>,
                "the third part of an algorithm mixes: none, gossip, choco, choco_before_step, deep_squeeze, "
                "average, pull_push, pull_push_toward, outer, averaged_in_time or every{tau, …}; see "
                "docs/reference/parts.md");

 public:
  using space = typename B::space;
  using value_type = T;

  worker(algorithm<Gradient, Update, Mixing> parts, const B& backend, C& comm, const topology::mixing_matrix& weights,
         F& f, std::span<const T> x0, worker_options options = {})
      : gradient_(std::move(parts.gradient)),
        update_(as_chain(std::move(parts.update))),
        mixing_(std::move(parts.mixing)),
        options_(std::move(options)),
        f_(f),
        backend_(backend),
        layout_(layout_of(f, x0.size())),
        params_(backend_, x0.size()),
        ctx_(backend_, comm, weights, params_),
        gradient_state_(gradient_.template init<T>(backend_, layout_)),
        update_state_(update_.template init<T>(backend_, layout_)),
        mixing_state_(mixing_.template init<T>(backend_, layout_)),
        g_(backend_.template zeros<T>(x0.size())),
        squared_norm_(backend_.template zeros<double>(1)),
        guard_(comm) {
    detail::require_same_queue(f, backend_, "objective");
    require<config_error>(!x0.empty(), "a worker needs at least 1 parameter");
    require<config_error>(weights.size() == comm.size(), "the mixing matrix is for ", weights.size(),
                          " workers but the communicator has ", comm.size());
    require<config_error>(options_.lr.kind == learning_rate::shape::constant || options_.total_steps > 0,
                          "a learning rate that changes over the run needs its length: set total_steps of the worker");
    if constexpr (requires { gradient_.check(weights); }) gradient_.check(weights);
    if constexpr (requires { mixing_.check(weights); }) mixing_.check(weights);
    ctx_.total_steps = options_.total_steps;
    ctx_.rates = options_.lr;
    ctx_.total_rounds = rounds_in(options_.total_steps);
    ctx_.probe = [this](view<space, const T> at) { return probe(at); };
    backend_.from_host(x0, params_.writable_x(comm));
    if (options_.equal_start) require_equal_start(x0);
    if constexpr (requires { gradient_.begin(ctx_, gradient_state_); }) gradient_.begin(ctx_, gradient_state_);
    update_.begin(ctx_, update_state_);
    if constexpr (requires { mixing_.begin(ctx_, mixing_state_); }) mixing_.begin(ctx_, mixing_state_);
  }
  /// The worker refers to the mixing matrix: one that ends with the statement would be gone by the first step.
  worker(algorithm<Gradient, Update, Mixing>, const B&, C&, const topology::mixing_matrix&&, F&, std::span<const T>,
         worker_options = {}) = delete;
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  /// One local update and, when the mixing rule says so, one communication. Returns the loss of the step's minibatch at
  /// the parameters before the step: a double, or a late_loss where the objective returns one. Then the host waits for
  /// nothing of this step, and when the call returns, the losses of the step before it have arrived. One that is not finite
  /// ends the run then, when its gradient may have been mixed already.
  auto step() {
    if (has_many_unsettled()) settle();
    if constexpr (minibatch_objective<F>) f_.select_batch(ctx_.step);
    ctx_.lr = options_.lr.at(ctx_.step, options_.total_steps);
    ctx_.round_lr += ctx_.lr;
    if constexpr (requires { mixing_.early_gamma(ctx_.step, ctx_.total_steps); }) {
      ctx_.early_gamma = mixing_.early_gamma(ctx_.step, ctx_.total_steps);
    }

    const auto loss = detail::take_gradient(gradient_, ctx_, gradient_state_, f_, g_.view());
    require_finite_loss(ctx_, loss);
    ctx_.loss = loss;
    if (options_.check_gradient) check_gradient();

    update_.prepare(ctx_, update_state_, g_.view());
    descend();
    if (mixing_.mix(ctx_, mixing_state_, detail::observe(update_, ctx_, update_state_))) {
      ++ctx_.round;
      ctx_.round_lr = 0.0;
    }
    if constexpr (is_late<decltype(loss)>) {
      settle();
      if (!is_here(loss)) unsettled_ = {loss, loss.from()->tickets(), ctx_.step};
    }
    ctx_.end_step();
    return loss;
  }
  /// Waits for the losses of the last step and throws non_finite_error if one of them is not finite. Only late losses
  /// come to be looked at here; `fit` calls it at the end of an epoch.
  void settle() {
    const auto [loss, end, step] = std::exchange(unsettled_, {});
    if (!is_here(loss)) require_finite_losses(*loss.from(), loss.ticket(), end, rank(), step);
  }

  [[nodiscard]] int rank() const { return ctx_.comm.rank(); }
  [[nodiscard]] std::uint64_t steps() const { return ctx_.step; }    ///< local updates done
  [[nodiscard]] std::uint64_t rounds() const { return ctx_.round; }  ///< communications done
  [[nodiscard]] view<space, const T> x() const { return std::as_const(params_).x(); }
  /// The vector whose mean over the workers is the model to evaluate: x, unless the mixing rule knows better.
  [[nodiscard]] view<space, const T> model() {
    if constexpr (requires { mixing_.model(ctx_, mixing_state_); }) {
      return mixing_.model(ctx_, mixing_state_);
    } else {
      return x();
    }
  }
  /// What that mean is, in words.
  [[nodiscard]] const char* model_name() const {
    if constexpr (requires { mixing_.model_name(); }) {
      return mixing_.model_name();
    } else {
      return "average of all workers";
    }
  }
  [[nodiscard]] const layout& tensors() const { return layout_; }
  [[nodiscard]] const B& backend() const { return backend_; }
  [[nodiscard]] C& comm() { return ctx_.comm; }
  /// The consensus step gamma of the mixing rule, set or derived; nothing for a rule that has none.
  [[nodiscard]] std::optional<double> consensus_step() const {
    if constexpr (requires { mixing_.consensus_step(mixing_state_); }) {
      return mixing_.consensus_step(mixing_state_);
    } else {
      return std::nullopt;
    }
  }
  /// The squared distances of all workers to the mean at the last reduction of the mixing rule (before pull and push).
  [[nodiscard]] view<space, const double> last_gaps() { return ctx_.gaps.view().as_const(); }
  /// How many rounds a run of `steps` steps has; 0 if only the run can tell.
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps) const {
    if constexpr (requires { mixing_.rounds_in(steps, options_.lr); }) {
      return mixing_.rounds_in(steps, options_.lr);
    } else {
      return mixing_.rounds_in(steps);
    }
  }

  /// Calls visitor(name, view) for every vector and visitor(name, number) for every number of the state: all that a
  /// resumed run needs. `restoring` tells the worker that the visitor fills the vectors; `anchored` whether the
  /// checkpoint holds an anchor.
  template <class Visitor>
  void visit(Visitor&& visitor, bool restoring = false, bool anchored = false) {
    visitor("step", ctx_.step);
    visitor("round", ctx_.round);
    visitor("round_lr", ctx_.round_lr);
    visitor("x", params_.writable_x(ctx_.comm));
    if (restoring ? anchored : params_.anchored_apart()) {
      visitor("anchor", restoring ? params_.detach_anchor() : params_.writable_anchor());
    }
    visitor("gaps", ctx_.gaps.view());
    const auto scoped = [&](const char* scope) {
      return [&visitor, scope](const auto& name, auto&& value) {
        visitor(text(scope, ".", name), std::forward<decltype(value)>(value));
      };
    };
    gradient_state_.visit(scoped("gradient"));
    update_state_.visit(scoped("update"));
    mixing_state_.visit(scoped("mixing"));
  }

 private:
  static layout layout_of(const F& f, std::size_t size) {
    if constexpr (requires { f.layout(); }) {
      layout tensors = f.layout();
      require<config_error>(tensors.size() == size, "the objective's layout has ", tensors.size(),
                            " numbers but the initial parameters have ", size);
      return tensors;
    } else {
      return layout(size);
    }
  }

  /// Whether two steps with so many evaluations would not fit where their losses are kept.
  [[nodiscard]] bool has_many_unsettled() const {
    const late_losses* const from = unsettled_.loss.from();
    return from != nullptr && 2 * (unsettled_.end - unsettled_.loss.ticket()) > from->kept();
  }
  /// The fused local step: decay, momentum and descent, and the mixing rule's local pull, in one pass; x stays whole.
  void descend() {
    local_pull<space, T> pull{};
    if constexpr (requires { mixing_.local_step(ctx_, mixing_state_); }) {
      pull = mixing_.local_step(ctx_, mixing_state_);
    }
    const auto element = update_.element(ctx_, update_state_);
    const ops::descend<T, std::remove_const_t<decltype(element)>> step{static_cast<T>(ctx_.lr), element};
    const auto x = in(std::as_const(params_).x());
    const auto g = in(g_.view());
    const auto x_half = out(params_.writable_half(ctx_.comm));
    std::apply(
        [&](auto... streams) {
          if (pull.strength == 0.0) {
            backend_.map(params_.size(), step, x, g, x_half, streams...);
          } else {
            const ops::descend_and_pull<T, std::remove_const_t<decltype(element)>> both{step,
                                                                                        static_cast<T>(pull.strength)};
            backend_.map(params_.size(), both, x, g, x_half, in(pull.target), streams...);
          }
        },
        update_.streams(ctx_, update_state_));
  }
  /// The gradient for a measurement, in the buffer of the step's own.
  view<space, const T> probe(view<space, const T> at) {
    if constexpr (requires { f_.select_probe(ctx_.step); }) f_.select_probe(ctx_.step);
    const auto loss = evaluate(f_, at, g_.view());
    if (is_here(loss)) detail::require_finite_number(rank(), ctx_.step, loss, "the loss of the probe batch");
    return g_.view();
  }
  void check_gradient() {
    backend_.sum(g_.size(), ops::square{}, squared_norm_.view(), in(g_.view()));
    require_finite(ctx_, squared_norm_.view().data);
  }
  void require_equal_start(std::span<const T> x0) {
    const int odd = first_odd_worker(ctx_.comm, x0);
    require<config_error>(odd < 0, "worker ", odd,
                          " starts from other parameters than worker 0: initialize all workers with the same seed, or "
                          "set worker_options::equal_start to false");
  }

  Gradient gradient_;
  decltype(as_chain(std::declval<Update>())) update_;
  Mixing mixing_;
  worker_options options_;
  F& f_;
  B backend_;
  layout layout_;
  parameters<B, T> params_;
  context<B, C, T> ctx_;
  state_t<Gradient, B, T> gradient_state_;
  state_t<decltype(update_), B, T> update_state_;
  state_t<Mixing, B, T> mixing_state_;
  buffer_t<B, T> g_;
  buffer_t<B, double> squared_norm_;
  struct {
    late_loss loss;  // of the last step, if it is late, and the ticket after the last one of that step
    std::uint64_t end = 0;
    std::uint64_t step = 0;
  } unsettled_;
  publication_guard<C> guard_;  // last: goes first, and waits until no neighbor reads the parameters any more
};

}  // namespace polder
