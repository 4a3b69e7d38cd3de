// polder — CHOCO gossip: compressed differences to what the neighbors already know.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "polder/backend/tensor_backend.hpp"
#include "polder/compress/compressor.hpp"
#include "polder/compress/message_maker.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/mixing/compressed.hpp"
#include "polder/mixing/consensus_step.hpp"
#include "polder/mixing/part.hpp"
#include "polder/objective/common_start.hpp"
#include "polder/ops/compressed_mixing.hpp"
#include "polder/topology/mixing_matrix.hpp"

namespace polder {

/// When CHOCO sends: before it mixes, or after.
enum class choco_order : std::uint8_t {
  compress_first,  ///< the message of this step enters this step's mix
  mix_first        ///< mix with what was sent before, then send: what arrives is needed only in the next step
};

/// What the public copies of all parameters hold before the first message.
enum class public_copies : std::uint8_t {
  at_start,  ///< the workers' common start: the first messages carry only what was learned
  zero       ///< nothing: the first messages carry the parameters themselves
};

/// CHOCO gossip with a compressor C:
///
///     q_i = C(x_i_half - x^_i),    x^_i <- x^_i + q_i,    s_i <- s_i + sum_j w_ij q_j           order = compress_first
///     x_i+ = x_i_half + gamma (s_i - x^_i)
///
///     x_i+ = x_i_half + gamma (s_i - x^_i),    then q_i = C(x_i+ - x^_i) and the copies as above      order = mix_first
///
/// x^_i is what everybody knows of worker i, s_i = sum_j w_ij x^_j with j = i included. The mean of the workers stays where it
/// is, whatever C loses.
///
/// Parameters: compressor, not an error_feedback; gamma in (0, 1], the consensus step: unless it is set, safe_consensus_step derives it from
/// compressor, tensors and W when the worker is made (`worker.consensus_step()` says what it is). The authors tune it; with
/// gradients a step up to twice the derived one may be better. copies: at_start needs all workers to start from the same
/// parameters, which the worker checks by default. adaptive: AdaGossip, a consensus step of each coordinate's own, where
/// gamma is a length and has to be set, r = s - x^:
///
///     v <- 0.999 v + 0.001 r^2,     gamma_k = min(1, gamma / (sqrt(v_k / (1 - 0.999^t)) + 1e-8)),     t = 1, 2, … rounds
///
/// seed: of the compressor's random numbers.
/// W must be symmetric, doubly stochastic, connected, and the same in every round.
///
/// State: x^ and s (2 n doubles; adaptive n numbers more), and that of the compressor; n numbers and one message of scratch. Sends one
/// compressed message to each neighbor. Host memory only.
/// Errors: config_error for gamma, a compressor that is no contraction (or, without gamma, does not say how much of one), a
/// matrix that does not suit, or workers that do not start from the same parameters (copies = at_start); those of the
/// compressor.
/// Source: Koloskova, Stich, Jaggi, "Decentralized Stochastic Optimization and Gossip Algorithms with Compressed
/// Communication", ICML 2019 (compress_first); their code for deep learning (mix_first); Aketi, Hashemi, Roy, "AdaGossip",
/// arXiv:2404.05919. Departures: none known.
template <class Compressor>
struct choco {
  static_assert(polder::compressor<Compressor, float> || polder::compressor<Compressor, double>,
                "the first parameter of choco is a compressor: qsgd, sign, top_k, …; see docs/reference/parts.md");

  Compressor compressor{};
  std::optional<double> gamma{};
  choco_order order = choco_order::compress_first;
  public_copies copies = public_copies::at_start;
  bool adaptive = false;
  std::uint64_t seed = 1;

  template <class B, class T>
  struct state {
    detail::message_maker<Compressor, T> maker;
    buffer_t<B, double> copy;    // x^; in double, as the rounding of thousands of sums would move the mean
    buffer_t<B, double> sum;     // s
    buffer_t<B, T> scratch;      // x - x^, then what messages say
    buffer_t<B, T> mean_square;  // v
    double gamma = 0.0;          // as set, or as derived when the run begins
    template <class Visitor>
    void visit(Visitor&& visitor) {
      visitor("choco.copy", copy.view());
      visitor("choco.sum", sum.view());
      visitor("choco.mean_square", mean_square.view());
      maker.memory.visit(visitor);
    }
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state<B, T> init(const B& backend, const layout& tensors) const {
    static_assert(std::is_same_v<typename B::space, host_space>, "choco compresses in host memory");
    detail::require_for_loop(compressor, "choco");
    require<config_error>(gamma.has_value() || !adaptive,
                          "choco: adaptive steps are gamma over the size of what has to be mixed: set gamma");
    const double chosen = gamma.value_or(1.0);
    require<config_error>(chosen > 0.0 && chosen <= 1.0, "choco: gamma is ", chosen, " but must be in (0, 1]");
    const std::size_t n = tensors.size();
    return {detail::message_maker<Compressor, T>(compressor, tensors),
            backend.template zeros<double>(n),
            backend.template zeros<double>(n),
            backend.template zeros<T>(n),
            backend.template zeros<T>(adaptive ? n : 0),
            chosen};
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps) const { return steps; }
  void check(const topology::mixing_matrix& weights) const { detail::check_for_compression(weights, "choco"); }
  template <class B, class T>
  [[nodiscard]] double consensus_step(const state<B, T>& s) const {
    return s.gamma;
  }

  template <class Context, class B, class T>
  void begin(Context& ctx, state<B, T>& s) const {
    if (!gamma.has_value()) s.gamma = safe_consensus_step(compressor, s.maker.tensors, ctx.weights(), "choco");
    if (copies == public_copies::zero) return;
    const auto x = ctx.params.x();
    const int odd = first_odd_worker(ctx.comm, std::span<const T>(x));
    require<config_error>(odd < 0, "choco: worker ", odd,
                          " starts from other parameters than worker 0, so there is no common copy to begin with: set "
                          "copies to public_copies::zero");
    ctx.backend.map(x.size, ops::widen{}, in(x), out(s.copy.view()), out(s.sum.view()));
  }

  template <class Context, class B, class T, class Observation>
  bool mix(Context& ctx, state<B, T>& s, const Observation& observation) const {
    if (order == choco_order::compress_first) {
      send(ctx, s, ctx.params.half());
      step(ctx, s, observation);
    } else {
      send(ctx, s, step(ctx, s, observation));
    }
    ctx.params.adopt_next();
    return true;
  }

 private:
  /// q = C(x - x^) goes to the neighbors and into the copies.
  template <class Context, class B, class T>
  void send(Context& ctx, state<B, T>& s, view<typename Context::space, const T> x) const {
    ctx.backend.map(x.size, ops::difference{}, in(x), in(s.copy.view()), out(s.scratch.view()));
    s.maker.compress(ctx, compressor, seed, s.scratch.view().as_const());
    s.maker.exchange(ctx, [&](double weight, bool own, std::span<const std::byte> bytes) {
      compressor.template decompress<T>(bytes, s.maker.tensors, s.scratch.view());
      if (own) {
        ctx.backend.map(x.size, ops::accumulate_own{weight}, in(s.scratch.view()), inout(s.sum.view()),
                        inout(s.copy.view()));
      } else {
        ctx.backend.map(x.size, ops::accumulate{weight}, in(s.scratch.view()), inout(s.sum.view()));
      }
    });
  }
  /// x_next = x_half + gamma (s - x^)
  template <class Context, class B, class T, class Observation>
  view<typename Context::space, const T> step(Context& ctx, state<B, T>& s, const Observation& observation) const {
    using observer = decltype(observation.element);
    const auto half = in(ctx.params.half());
    const auto x_next = ctx.params.writable_next(ctx.comm);
    if (adaptive) {
      const double trusted = 1.0 - std::pow(0.999, static_cast<double>(ctx.round + 1));
      detail::map_observed(ctx, ops::adaptive_consensus_step<observer>{s.gamma, trusted, observation.element},
                           observation.streams, half, in(s.sum.view()), in(s.copy.view()), inout(s.mean_square.view()),
                           out(x_next));
    } else {
      detail::map_observed(ctx, ops::consensus_step<observer>{s.gamma, observation.element}, observation.streams, half,
                           in(s.sum.view()), in(s.copy.view()), out(x_next));
    }
    return x_next.as_const();
  }
};

template <class Compressor, class... Rest>
choco(Compressor, Rest...) -> choco<Compressor>;

}  // namespace polder
