// polder — the pull of leader SGD: toward the worker whose training goes best.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/comm/communicator.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/mixing/part.hpp"
#include "polder/mixing/pull.hpp"

namespace polder {

/// Toward the leader (LSGD), the worker with the lowest mean loss over its last `window` minibatches; equal ones: the lowest
/// rank:
///
///     x_C = x_l,   l = argmin_m F_m                                    in a round
///     x <- x - eta u,   x <- x + proximal (x_l - x)                    in every local step, x_l as of the last round
///
/// Parameters: window >= 1, minibatches; default 10 (the authors' program). proximal in [0, 1), of a local step; default
/// 0. The authors divide one number by tau; the recipe `lsgd` does. Before the first round there is no leader to be near.
///
/// State: `window` numbers; the last leader's parameters (n numbers) if proximal > 0. Cost: 12 bytes per float32 parameter
/// (8 more to keep the leader); 4 more in each local step with proximal. Sends 8 bytes to everyone from each worker, and n
/// numbers to everyone from the leader.
/// Errors: config_error for a window of 0 or a proximal pull out of range.
/// Source: Teng et al., "Leader Stochastic Gradient Descent for Distributed Training of Deep Learning Models",
/// arXiv:1905.10395; the authors' code. Departures: no groups of workers; the mean divides by the number of losses that
/// there are, not by the window; only the loss is sent along, not rank and learning rate.
struct leader {
  std::size_t window = 10;
  double proximal = 0.0;

  static constexpr pull_time when = pull_time::later;
  static constexpr bool may_rest = false;
  static constexpr bool target_rounds = false;

  template <class B, class T>
  struct state {
    std::vector<double> losses;  // a ring
    std::uint64_t seen = 0;
    std::uint64_t rounds = 0;
    buffer_t<B, T> last;
    std::vector<outgoing> sends{};
    std::vector<incoming> receives{};
    template <class Visitor>
    void visit(Visitor&& visitor) {
      visitor("leader.seen", seen);
      visitor("leader.rounds", rounds);
      for (std::size_t k = 0; k < losses.size(); ++k) visitor(text("leader.loss.", k), losses[k]);
      visitor("leader.last", last.view());
    }
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state<B, T> init(const B& backend, const layout& tensors) const {
    require<config_error>(window >= 1, "leader: window is 0 but a mean needs at least 1 loss");
    detail::check_proximal("leader", proximal);
    return {std::vector<double>(window, 0.0), 0, 0, backend.template zeros<T>(proximal > 0.0 ? tensors.size() : 0)};
  }
  [[nodiscard]] static constexpr double strength(double alpha, int /*workers*/) { return alpha; }
  static constexpr void check_push(bool /*from_average*/, bool /*exact*/) {}

  template <class Context, class B, class T>
  [[nodiscard]] local_pull<typename Context::space, T> local_step(Context& ctx, state<B, T>& s) const {
    s.losses[s.seen++ % window] = ctx.loss;
    return {s.rounds > 0 ? proximal : 0.0, s.last.view()};
  }

  template <class Context, class B, class T>
  [[nodiscard]] view<typename Context::space, const T> target(Context& ctx, state<B, T>& s) const {
    using space = typename Context::space;
    const std::size_t known = std::min<std::size_t>(window, s.seen);
    double mean_loss = 0.0;
    for (std::size_t k = 0; k < known; ++k) mean_loss += s.losses[k] / static_cast<double>(known);
    const std::span<const double> all = ctx.gather(std::span<const double>(&mean_loss, 1));
    const int best = static_cast<int>(std::min_element(all.begin(), all.end()) - all.begin());

    const auto half = ctx.params.half();
    s.sends.clear();
    s.receives.clear();
    if (ctx.comm.rank() == best) {
      for (int peer = 0; peer < ctx.comm.size(); ++peer) {
        if (peer != best) s.sends.push_back(send_to(peer, half));
      }
    } else {
      s.receives.push_back({best, half.size * sizeof(T)});
    }
    ctx.comm.post({s.sends, s.receives, ctx.step, true});
    const std::span<const message> arrived = ctx.comm.wait();
    const auto leading = arrived.empty() ? half : as_vector<space, T>(arrived.front());
    if (proximal > 0.0) ctx.backend.copy(leading, s.last.view());
    ++s.rounds;
    return leading;
  }
};

}  // namespace polder
