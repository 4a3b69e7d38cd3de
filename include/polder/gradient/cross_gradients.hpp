// polder — cross-gradients: what the neighbors' data say about a worker's model, and its data about theirs.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/compress/compressor.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/gradient/evaluate.hpp"
#include "polder/gradient/part.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/gradient/sam.hpp"
#include "polder/gradient/tensor_programs.hpp"
#include "polder/gradient/way_back.hpp"
#include "polder/objective/context.hpp"
#include "polder/objective/finite.hpp"
#include "polder/ops/arithmetic.hpp"
#include "polder/topology/requirements.hpp"

namespace polder {

/// How cross-gradients become one gradient.
enum class cross_aggregate {
  weighted_mean,     ///< the mean with the weights of the mixing matrix
  quadratic_program  ///< per tensor, a direction that agrees with every row that a program weighs by at least 1/2
};

/// Where the worker's own gradient is taken.
enum class self_point {
  unmixed,  ///< at x_i, as all the others
  mixed     ///< at (W_gamma x)_i, from which the step then starts
};

/// Cross-gradients: a worker also takes the gradients of its own minibatch at its neighbors' parameters, and gets theirs
/// at its own. With g_ij the gradient of worker i's minibatch at x_j:
///
///     exchange x with the neighbors j;    g_ii and all g_ij by `inner`;    send g_ij to j, receive g_ji
///     A = w_ii g_ii + sum_j w_ij g_ji          data-variant: my model on everybody's data
///     B = w_ii g_ii + sum_j w_ij g_ij          model-variant: everybody's model on my data
///     G = a A + (1 - a) B                      cross_aggregate::weighted_mean
///
/// or, per tensor (cross_aggregate::quadratic_program), with b = w_ii g_ii and rows M_j = w_ij g_ji, those dropped that
/// are all zero:
///
///     K = M M^T + 1e-12 I,    v = argmin over v >= 1/2 of 1/2 v^T K v + v^T M b,    G = b + M^T v
///
/// which is no mean: where all gradients are g, a ring (w = 1/3) gives 2/3 g.
///
/// Parameters: inner, any rule that takes the gradient at a point (plain, sam, asam; plain by default). data_share: a in
/// [0, 1]; default 1. With 0 nothing is sent back. by: the aggregation. own: where g_ii is taken; `mixed` needs
/// gossip{.of = mixed::before_step} or choco_before_step. plain_cross: only g_ii is taken by `inner`, the others are plain
/// gradients. W must be symmetric. Neighbors are summed in rank order.
///
/// With a compressor C the gradients go back in its messages: g_ji becomes C(g_ij) of worker j above, for A and for the
/// program; B has the gradients themselves. C is error_feedback{…} as a rule, and then keeps a memory for each neighbor:
///
///     p = g_ij + e_ij,    q_ij = C(p), which is sent to j,    e_ij <- p - q_ij
///
/// compress_own: g_ii as well is replaced by C(g_ii) with a memory of its own, though it is not sent: what the code of NGC
/// does (Purdue's CompNGC and CompCGA). Default: it is not. seed: of the compressor's random numbers. W must then be the
/// same in every round.
///
/// Use it with gossip{.of = mixed::before_step}: gradient and mixing then share the exchange of x. If something is sent
/// back, the mixture of x is made before x is released, because a communicator does not hold it any longer; if nothing
/// is, x is held until the mixing. With choco_before_step they share its compressed exchange: the g_ij are taken at the
/// copies x^_j, which stay.
///
/// State: that of inner, n numbers for the own gradient and n per neighbor; with a compressor its own for each neighbor
/// and a message, and n numbers per neighbor more for a between 0 and 1. Cost with K neighbors: 1 + K times the
/// evaluations of inner; one pass of 4 (K + 2) bytes per float32 parameter (a between 0 and 1: 4 (2 K + 2)), one more
/// for the mixture in place of that in gossip (8 bytes more in all), for the program 4 (K + 1) on top; with a compressor K
/// times compressing and decompressing. Sends 2 n numbers to each neighbor (n with a = 0), gossip before the step
/// included; 3 n (2 n) where gossip mixes the half step; with a compressor its message in the place of n of them.
/// Errors: config_error for parameters or weights that do not suit; non_finite_error for a loss at a neighbor's
/// parameters, or a row of a program, that is not finite; those of the compressor.
/// Source: NGC, arXiv:2209.14390, and its authors' code (the two variants and their blend, compression with a memory for
/// each neighbor); the code of Cross-Gradient Aggregation, yasesf93/CrossGradientAggregation (the program).
/// Departures: the weights are w_ij, not 1 / (K + 1), which is the same on regular graphs; the own gradient is at x_i by
/// default; the program is solved by projected coordinate descent.
template <class Inner = plain, class Compressor = uncompressed>
struct cross_gradients {
  Inner inner{};
  Compressor compressor{};
  double data_share = 1.0;
  cross_aggregate by = cross_aggregate::weighted_mean;
  self_point own = self_point::unmixed;
  bool plain_cross = false;
  bool compress_own = false;
  std::uint64_t seed = 1;

  template <class InnerState, class B, class T>
  struct state {
    using space = typename B::space;
    InnerState inner;
    buffer_t<B, T> own;
    std::vector<buffer_t<B, T>> crossed;  // g_ij, by the place of j among the neighbors
    detail::tensor_programs<B, T> programs;
    detail::way_back<Compressor, B, T> back;
    std::vector<weighted<space, T>> terms;
    template <class Visitor>
    void visit(Visitor&& visitor) {
      inner.visit(visitor);
      back.visit(visitor);
    }
  };
  template <class T, tensor_backend B>
  [[nodiscard]] auto init(const B& backend, const layout& tensors) const {
    require<config_error>(data_share >= 0.0 && data_share <= 1.0, "cross_gradients: data_share is ", data_share,
                          " but must be in [0, 1]");
    require<config_error>(by == cross_aggregate::weighted_mean || data_share == 1.0, "cross_gradients: data_share is ",
                          data_share, " but the quadratic program takes data-variant gradients only: leave it at 1");
    require<config_error>(data_share > 0.0 || std::is_same_v<Compressor, uncompressed>,
                          "cross_gradients: data_share is 0, so nothing is sent back that a compressor could compress: "
                          "take uncompressed{}, or a data_share above 0");
    if constexpr (requires { inner.scope == sam_scope::worker; }) {
      require<config_error>(
          inner.scope == sam_scope::worker,
          "cross_gradients: sam reduces over all workers in each of its gradients, of which workers have "
          "as many as neighbors: leave its scope at sam_scope::worker");
    }
    return state<decltype(inner.template init<T>(backend, tensors)), B, T>{
        inner.template init<T>(backend, tensors),
        backend.template zeros<T>(tensors.size()),
        {},
        detail::tensor_programs<B, T>(by == cross_aggregate::quadratic_program ? tensors : layout()),
        detail::way_back<Compressor, B, T>(compressor, tensors, compress_own),
        {}};
  }
  template <class Context, class InnerState, class B, class T>
  void begin(Context& ctx, state<InnerState, B, T>& s) const {
    s.back.begin(ctx, compressor);
  }
  void check(const topology::mixing_matrix& weights) const {
    if constexpr (!std::is_same_v<Compressor, uncompressed>) {
      require<config_error>(weights.period() == 1, "cross_gradients: the graph ", weights.on().name(), " changes over ",
                            weights.period(),
                            " phases, but what compression leaves out is kept for each neighbor: take a graph that "
                            "stays");
    }
    topology::check(weights, {.symmetric = true, .because = "cross-gradients go back where the parameters came from"});
  }

  template <class Context, class F, class InnerState, class B, class T>
  auto gradient(Context& ctx, state<InnerState, B, T>& s, F& f, view<typename Context::space, T> g) const {
    static_assert(detail::point_gradient<Inner, Context, InnerState, F>,
                  "cross_gradients wraps a rule that takes the gradient at a point: plain, sam or asam; see "
                  "docs/reference/parts.md");
    const auto x = std::as_const(ctx.params).x();
    ctx.announce(x);
    const auto loss = inner.gradient_at(ctx, s.inner, f, own_point(ctx, x), s.own.view());
    require_finite_loss(ctx, loss);
    if (compress_own) s.back.replace(ctx, compressor, seed, s.own.view());
    cross(ctx, s, f, ctx.neighbors(x));
    std::span<const view<typename B::space, const T>> returned;
    if (data_share > 0.0) {
      if (ctx.early_gamma > 0.0 && !ctx.has_mixture() && !ctx.keeps_neighbors()) ctx.keep_mixture();
      ctx.release();
      returned = s.back.exchange(ctx, compressor, seed, s.crossed, data_share < 1.0);
    }
    collect(ctx, s, returned);
    if (by == cross_aggregate::weighted_mean) {
      ctx.backend.combine(std::span<const weighted<typename B::space, T>>(s.terms), ops::assign{}, out(g));
    } else {
      s.programs.solve(ctx, s.terms, ctx.row().self, g);
    }
    if (data_share > 0.0) s.back.done(ctx.comm);
    return loss;
  }

 private:
  template <class Context, class View>
  View own_point(Context& ctx, View x) const {
    if (own == self_point::unmixed) return x;
    require<config_error>(ctx.early_gamma > 0.0,
                          "cross_gradients: the own gradient at the mixed point needs a rule that mixes the parameters "
                          "before the step, in every step: gossip{.of = mixed::before_step} or choco_before_step");
    return ctx.keep_mixture();
  }

  /// g_ij for all neighbors j.
  template <class Context, class F, class State, class Terms>
  void cross(Context& ctx, State& s, F& f, Terms terms) const {
    const auto& row = ctx.row();
    std::size_t k = 0;
    for (std::size_t j = 0; j < row.sources.size(); ++j) {
      if (j == row.self) continue;
      if (k == s.crossed.size()) {
        s.crossed.push_back(ctx.backend.template zeros<typename Context::value_type>(ctx.params.size()));
      }
      const auto to = s.crossed[k++].view();
      ctx.comm.reclaim(to.data);
      const auto loss = plain_cross ? evaluate(f, terms[j].x, to) : inner.gradient_at(ctx, s.inner, f, terms[j].x, to);
      require_finite_cross(ctx, row.sources[j], loss);
    }
  }

  /// The terms of G in rank order.
  template <class Context, class State, class Returned>
  void collect(Context& ctx, State& s, Returned returned) const {
    const auto& row = ctx.row();
    s.terms.clear();
    for (std::size_t j = 0, k = 0; j < row.sources.size(); ++j) {
      if (j == row.self) {
        s.terms.push_back({s.own.view(), row.weights[j]});
        continue;
      }
      if (data_share > 0.0) s.terms.push_back({returned[k], data_share * row.weights[j]});
      if (data_share < 1.0) s.terms.push_back({s.crossed[k].view(), (1.0 - data_share) * row.weights[j]});
      ++k;
    }
  }
};

template <class Inner>
cross_gradients(Inner) -> cross_gradients<Inner>;
template <class Inner, class Compressor, class... Rest>
cross_gradients(Inner, Compressor, Rest...) -> cross_gradients<Inner, Compressor>;

}  // namespace polder
