// polder — DeepSqueeze: gossip on compressed parameters, with the error kept for the next message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "polder/backend/tensor_backend.hpp"
#include "polder/compress/compressor.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/message_maker.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/mixing/compressed.hpp"
#include "polder/mixing/part.hpp"
#include "polder/ops/compressed_mixing.hpp"
#include "polder/topology/mixing_matrix.hpp"

namespace polder {

/// DeepSqueeze with a compressor C:
///
///     p_i = x_i_half + e_i,    q_i = C(p_i),    e_i <- p_i - q_i
///     x_i+ = x_i_half + gamma (sum_j w_ij q_j - q_i)                    j = i included
///
/// It compresses the parameters, not a difference: what C loses is proportional to ||x||, and the workers stay apart by a
/// share of ||x|| that is proportional to gamma. The mean of the workers stays where it is.
///
/// Parameters: compressor, not an error_feedback (it is inside already); gamma in (0, 1], the consensus step, which has to be set: a smaller one brings the workers closer
/// in the end and is slower, so none is safe as such. (safe_consensus_step bounds it: the limit of stability is that of
/// choco. But at that step the workers stay apart by a good part of ||x||.) seed: of the compressor's random numbers. W
/// must be symmetric, doubly stochastic, connected, and the same in every round.
///
/// State: e (n numbers) and that of the compressor; n numbers, n doubles and one message of scratch. Sends one compressed message to each
/// neighbor. Host memory only. Errors: as choco.
/// Source: Tang et al., "DeepSqueeze: Decentralization Meets Error-Compensated Compression", 2019.
template <class Compressor>
struct deep_squeeze {
  static_assert(
      polder::compressor<Compressor, float> || polder::compressor<Compressor, double>,
      "the first parameter of deep_squeeze is a compressor: qsgd, sign, top_k, …; see docs/reference/parts.md");

  Compressor compressor{};
  std::optional<double> gamma{};
  std::uint64_t seed = 1;

  template <class B, class T>
  struct state {
    detail::message_maker<error_feedback<Compressor>, T> maker;
    buffer_t<B, double> residual;  // sum_j w_ij q_j - q_i, scratch
    buffer_t<B, T> decoded;        // what a message says, scratch
    template <class Visitor>
    void visit(Visitor&& visitor) {
      maker.memory.visit(visitor);
    }
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state<B, T> init(const B& backend, const layout& tensors) const {
    static_assert(std::is_same_v<typename B::space, host_space>, "deep_squeeze compresses in host memory");
    detail::require_for_loop(compressor, "deep_squeeze");
    require<config_error>(gamma.has_value(),
                          "deep_squeeze: gamma is not set, and no value suits all runs, as the workers stay apart in "
                          "proportion to it: set it, in (0, 1], or take choco, which derives it");
    require<config_error>(*gamma > 0.0 && *gamma <= 1.0, "deep_squeeze: gamma is ", *gamma, " but must be in (0, 1]");
    return {detail::message_maker<error_feedback<Compressor>, T>(with_feedback(), tensors),
            backend.template zeros<double>(tensors.size()), backend.template zeros<T>(tensors.size())};
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps) const { return steps; }
  void check(const topology::mixing_matrix& weights) const { detail::check_for_compression(weights, "deep_squeeze"); }
  template <class B, class T>
  [[nodiscard]] double consensus_step(const state<B, T>&) const {
    return *gamma;
  }

  template <class Context, class B, class T, class Observation>
  bool mix(Context& ctx, state<B, T>& s, const Observation& observation) const {
    using observer = decltype(observation.element);
    const error_feedback<Compressor> feedback = with_feedback();
    s.maker.compress(ctx, feedback, seed, ctx.params.half());
    bool first = true;
    s.maker.exchange(ctx, [&](double weight, bool own, std::span<const std::byte> bytes) {
      const double share = own ? weight - 1.0 : weight;
      feedback.template decompress<T>(bytes, s.maker.tensors, s.decoded.view());
      if (first) {
        ctx.backend.map(s.decoded.size(), ops::weigh{share}, in(s.decoded.view()), out(s.residual.view()));
      } else {
        ctx.backend.map(s.decoded.size(), ops::accumulate{share}, in(s.decoded.view()), inout(s.residual.view()));
      }
      first = false;
    });
    const auto x_next = ctx.params.writable_next(ctx.comm);
    detail::map_observed(ctx, ops::add_scaled<observer>{*gamma, observation.element}, observation.streams,
                         in(ctx.params.half()), in(s.residual.view()), out(x_next));
    ctx.params.adopt_next();
    return true;
  }

 private:
  [[nodiscard]] error_feedback<Compressor> with_feedback() const { return {compressor}; }
};

template <class Compressor, class... Rest>
deep_squeeze(Compressor, Rest...) -> deep_squeeze<Compressor>;

}  // namespace polder
