// polder — CHOCO gossip of the parameters before the step, with a public copy of every neighbor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/compress/compressor.hpp"
#include "polder/compress/message_maker.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/mixing/choco.hpp"
#include "polder/mixing/compressed.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/objective/common_start.hpp"
#include "polder/ops/compressed_mixing.hpp"
#include "polder/topology/mixing_matrix.hpp"

namespace polder {

/// gossip{.of = mixed::before_step} with a compressor C: workers send how their parameters differ from what is known of
/// them, and each keeps a copy x^_j of what is known of every neighbor and of itself:
///
///     q_i = C(x_i - x^_i) goes to the neighbors,    x^_j <- x^_j + q_j for j = i and all neighbors j
///     x_i+ = x_i + gamma (sum_j w_ij x^_j - x^_i) + (x_i_half - x_i)                              j = i included
///
/// The copies are what `ctx.neighbors(x)` gives a gradient rule, so cross-gradients are taken at them and share the
/// exchange. It takes place in every step in which somebody asks for the neighbors, under every{tau, …} as well, and a
/// step has one at most. x^_j has the same bits on worker j and on all its neighbors, whatever is rounded, and so the mean
/// of the workers stays where it is, whatever C loses.
///
/// The trajectory is that of choco{.order = choco_order::mix_first}, whose messages are those of the step before; choco
/// keeps a sum in place of the copies, which is all that plain gradients need.
///
/// Parameters: compressor, not an error_feedback; gamma in (0, 1], the consensus step, default 0.5 (as choco; coarser compressors on sparser
/// graphs need less). copies: at_start needs all workers to start from the same parameters, which is checked.
/// seed: of the compressor's random numbers.
/// W must be symmetric, doubly stochastic, connected, and the same in every round.
///
/// State: x^ of the worker and of each neighbor ((1 + K) n numbers), and that of the compressor; n numbers and one message
/// of scratch. Sends one compressed message to each neighbor. Cost besides the compressor's: 12 bytes per float32
/// parameter for the difference, 4 (K + 2) + 12 for the mixing. Host memory only.
/// Errors: config_error for gamma, a compressor that is no contraction, a matrix that does not suit, or workers that do not
/// start from the same parameters (copies = at_start); those of the compressor.
/// Source: Koloskova, Stich, Jaggi, ICML 2019, for the exchange; cross-gradients at what is known of a neighbor: the code
/// of NGC (aparna-aketi/neighborhood_gradient_clustering), whose gossip hands on the received quantized parameters.
/// Departures: there parameters are compressed, here their differences to the copies.
template <class Compressor>
struct choco_before_step {
  static_assert(polder::compressor<Compressor, float> || polder::compressor<Compressor, double>,
                "the first parameter of choco_before_step is a compressor: qsgd, sign, top_k, …; see "
                "docs/reference/parts.md");

  Compressor compressor{};
  double gamma = 0.5;
  public_copies copies = public_copies::at_start;
  std::uint64_t seed = 1;

  template <class B, class T>
  struct state {
    using space = typename B::space;
    detail::message_maker<Compressor, T> maker;
    buffer_t<B, T> difference;  // x - x^, scratch
    std::vector<int> of;        // whose copies, in rank order
    std::vector<buffer_t<B, T>> copies;
    std::vector<view<space, const T>> known;  // the copies as they are handed out
    gossip::state mixing;
    template <class Visitor>
    void visit(Visitor&& visitor) {
      for (std::size_t k = 0; k < copies.size(); ++k) visitor(text("choco.copy_of.", of[k]), copies[k].view());
      maker.memory.visit(visitor);
    }
  };
  template <class T, tensor_backend B>
  [[nodiscard]] state<B, T> init(const B& backend, const layout& tensors) const {
    static_assert(std::is_same_v<typename B::space, host_space>, "choco_before_step compresses in host memory");
    detail::require_for_loop(compressor, "choco_before_step");
    require<config_error>(gamma > 0.0 && gamma <= 1.0, "choco_before_step: gamma is ", gamma, " but must be in (0, 1]");
    return {detail::message_maker<Compressor, T>(compressor, tensors),
            backend.template zeros<T>(tensors.size()),
            {},
            {},
            {},
            {}};
  }
  [[nodiscard]] std::uint64_t rounds_in(std::uint64_t steps) const { return steps; }
  void check(const topology::mixing_matrix& weights) const {
    detail::check_for_compression(weights, "choco_before_step", "in a copy for each of them");
  }
  [[nodiscard]] double early_gamma(std::uint64_t /*step*/, std::uint64_t /*total_steps*/) const { return gamma; }

  template <class Context, class B, class T>
  void begin(Context& ctx, state<B, T>& s) const {
    const view<typename B::space, const T> x = ctx.params.x();
    if (copies == public_copies::at_start) {
      const int odd = first_odd_worker(ctx.comm, std::span<const T>(x));
      require<config_error>(
          odd < 0, "choco_before_step: worker ", odd,
          " starts from other parameters than worker 0, so there is no common copy to begin with: set "
          "copies to public_copies::zero");
    }
    s.of = ctx.row().sources;
    for (std::size_t k = 0; k < s.of.size(); ++k) {
      s.copies.push_back(ctx.backend.template zeros<T>(x.size));
      if (copies == public_copies::at_start) ctx.backend.copy(x, s.copies.back().view());
      s.known.push_back(s.copies.back().view());
    }
    ctx.carry_parameters(*this, s);
  }

  template <class Context, class B, class T, class Observation>
  bool mix(Context& ctx, state<B, T>& s, const Observation& observation) const {
    return gossip{.gamma = gamma, .of = mixed::before_step}.mix(ctx, s.mixing, observation);
  }

  /// q = C(x - x^) is on its way.
  template <class Context, class B, class T>
  void send(Context& ctx, state<B, T>& s) const {
    const auto x = ctx.params.x();
    ctx.backend.map(x.size, ops::difference{}, in(x), in(s.known[ctx.row().self]), out(s.difference.view()));
    s.maker.compress(ctx, compressor, seed, s.difference.view().as_const());
    s.maker.post(ctx);
  }
  /// All messages go into the copies, the worker's own by the same instructions as the others': a copy must not depend on
  /// who keeps it.
  template <class Context, class B, class T>
  void receive(Context& ctx, state<B, T>& s) const {
    std::size_t k = 0;
    s.maker.receive(ctx, [&](double, bool, std::span<const std::byte> bytes) {
      compressor.template decompress_add<T>(bytes, s.maker.tensors, 1.0, s.copies[k++].view());
    });
  }
  template <class B, class T>
  [[nodiscard]] std::span<const view<typename B::space, const T>> known(const state<B, T>& s) const {
    return s.known;
  }
};

template <class Compressor, class... Rest>
choco_before_step(Compressor, Rest...) -> choco_before_step<Compressor>;

}  // namespace polder
