// polder — the quadratic programs of cross-gradient aggregation: one per tensor, as large as the number of neighbors.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/ops/arithmetic.hpp"

namespace polder::detail {

/// v = argmin over v >= lowest (each component) of 1/2 v^T K v + v^T q, by projected coordinate descent:
///
///     v_k <- max(lowest, v_k - ((K v)_k + q_k) / K_kk)
///
/// K: m x m, row-major, symmetric, its diagonal above 0. Starts at `lowest` and ends when a sweep moves no component by
/// more than 1e-12 of its size. It cannot fail: each step is the exact minimum along its coordinate. Usually a few dozen
/// sweeps; nearly parallel rows take more, and after 10000 the solution is taken as it is: for rows
/// that differ by about 1 % or less, with G then off by some 1e-4 of its length.
inline void minimize_above(double lowest, std::span<const double> k, std::span<const double> q, std::span<double> v) {
  const std::size_t m = v.size();
  std::fill(v.begin(), v.end(), lowest);
  for (int sweep = 0; sweep < 10000; ++sweep) {
    bool moved = false;
    for (std::size_t a = 0; a < m; ++a) {
      double slope = q[a];
      for (std::size_t b = 0; b < m; ++b) slope += k[a * m + b] * v[b];
      const double next = std::max(lowest, v[a] - slope / k[a * m + a]);
      moved = moved || std::abs(next - v[a]) > 1e-12 * next;
      v[a] = next;
    }
    if (!moved) return;
  }
}

/// The programs of all tensors of a layout, and the memory that they need.
///
/// With b = w_ii g_ii and the rows M_j = w_ij g_ji of one tensor (rows that are zero dropped):
///
///     K = M M^T + 1e-12 I,    v = argmin over v >= 1/2 of 1/2 v^T K v + v^T M b,    G = b + M^T v
template <class B, class T>
class tensor_programs {
  using space = typename B::space;

 public:
  static constexpr double margin = 0.5;
  static constexpr double ridge = 1e-12;

  explicit tensor_programs(const layout& tensors) {
    for (const tensor_info& t : tensors.tensors()) {
      if (t.size() != 0) tensors_.push_back({t.name, t.offset, t.size()});
    }
  }

  /// g = G, from the terms w_ij g_ji in rank order with the worker's own at `self`. One pass over the terms for all dot
  /// products, one for the result; on a device one wait in between.
  template <class Context>
  void solve(const Context& ctx, std::span<const weighted<space, T>> terms, std::size_t self, view<space, T> g) {
    const std::size_t count = terms.size() * (terms.size() + 1) / 2;
    if (products_.size() < count * tensors_.size()) {
      products_ = ctx.backend.template zeros<double>(count * tensors_.size());
    }
    for (std::size_t t = 0; t < tensors_.size(); ++t) {
      vectors_.clear();
      for (const auto& term : terms) vectors_.push_back(term.x.part(tensors_[t].offset, tensors_[t].size));
      ctx.backend.gram(std::span<const view<space, const T>>(vectors_), products_.view().part(t * count, count));
    }
    on_host_.resize(count * tensors_.size());
    ctx.backend.to_host(products_.view().part(0, on_host_.size()), std::span<double>(on_host_));
    for (std::size_t t = 0; t < tensors_.size(); ++t) {
      const std::span<const double> products(on_host_.data() + t * count, count);
      weigh(ctx, terms, self, tensors_[t], products);
      ctx.backend.combine(std::span<const weighted<space, T>>(scaled_), ops::assign{},
                          out(g.part(tensors_[t].offset, tensors_[t].size)));
    }
  }

 private:
  struct part {
    std::string name;
    std::size_t offset = 0;
    std::size_t size = 0;
  };

  /// scaled_ = the terms of G for one tensor.
  template <class Context>
  void weigh(const Context& ctx, std::span<const weighted<space, T>> terms, std::size_t self, const part& tensor,
             std::span<const double> products) {
    const auto dot = [&](std::size_t a, std::size_t b) {
      return terms[a].weight * terms[b].weight * products[std::max(a, b) * (std::max(a, b) + 1) / 2 + std::min(a, b)];
    };
    kept_.clear();
    for (std::size_t a = 0; a < terms.size(); ++a) {
      require<non_finite_error>(std::isfinite(dot(a, a)), "worker ", ctx.comm.rank(), ", step ", ctx.step,
                                ": the squared norm of the gradient of tensor ", tensor.name,
                                " on the minibatch of worker ", ctx.row().sources[a], " is ", dot(a, a),
                                "; lower the learning rate");
      if (a != self && dot(a, a) > 0.0) kept_.push_back(a);
    }
    const std::size_t m = kept_.size();
    k_.resize(m * m);
    q_.resize(m);
    v_.resize(m);
    for (std::size_t a = 0; a < m; ++a) {
      for (std::size_t b = 0; b < m; ++b) k_[a * m + b] = dot(kept_[a], kept_[b]) + (a == b ? ridge : 0.0);
      q_[a] = dot(kept_[a], self);
    }
    minimize_above(margin, k_, q_, v_);
    scaled_.clear();
    for (std::size_t a = 0, row = 0; a < terms.size(); ++a) {
      const bool kept = row < m && kept_[row] == a;
      if (a != self && !kept) continue;
      const double factor = kept ? v_[row++] : 1.0;
      scaled_.push_back({terms[a].x.part(tensor.offset, tensor.size), factor * terms[a].weight});
    }
  }

  std::vector<part> tensors_;
  buffer_t<B, double> products_;
  std::vector<double> on_host_;
  std::vector<view<space, const T>> vectors_;
  std::vector<std::size_t> kept_;  // rows that are not zero, by their place among the terms
  std::vector<double> k_, q_, v_;
  std::vector<weighted<space, T>> scaled_;
};

}  // namespace polder::detail
