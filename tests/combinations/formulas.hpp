// A step of any gradient rule, any update rule and any mixing rule, written from the equations on a [workers][dimension]
// matrix in double. It shares no code with the library but the compressors' encoding and decoding, which have tests of
// their own.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "recipes/stacked_compressed_cross.hpp"
#include "recipes/stacked_cross_gradients.hpp"
#include "recipes/stacked_reference.hpp"

namespace polder::test {

enum class point { plain, sam, asam };
struct gradient_formula {
  point at = point::plain;
  double rho = 0.0;
  double eta = 0.0;  // of asam
  bool crossed = false;
  double data_share = 1.0;
  bool program = false;
  bool own_at_mixed = false;
  bool plain_cross = false;
  stamped_codec back{};  // of what goes back to the neighbors
  bool feedback = false;
  bool compress_own = false;
};

enum class momentum_form { none, heavy_ball, nesterov, quasi_global, quasi_global_nesterov };
struct update_formula {
  momentum_form form = momentum_form::none;
  double beta = 0.0;
  double mu = 0.0;
  double decay = 0.0;
  double most = 0.0;  // norm to which gradients are clipped; 0: none
};

enum class mixing_form { none, gossip, before_step, choco, choco_before_step, deep_squeeze, pull_push };
struct mixing_formula {
  mixing_form form = mixing_form::none;
  std::size_t tau = 1;
  double gamma = 0.0;
  double alpha = 0.0;
  double lambda = 0.0;
  bool exact_push = false;
  bool mix_first = false;
  bool from_zero = false;
  bool adaptive = false;
  stamped_codec c{};
};

/// What the problem says of the vector's tensors.
struct tensor_table {
  std::vector<std::size_t> ends;  // the number behind the last of each tensor
  std::vector<bool> adaptive;     // whether ASAM scales the number's radius by its size
};

/// A run of one combination.
class stacked_run {
 public:
  stacked_run(const stacked_problem& p, const tensor_table& tensors, gradient_formula g, update_formula u,
              mixing_formula m, rows x0)
      : p_(p), tensors_(tensors), g_(g), u_(u), m_(std::move(m)), x_(std::move(x0)), anchor_(x_) {
    memory_ = v_ = e_ = zeros_like(p_);
    left_out_.assign(p_.n, zeros_like(p_));
    hat_ = m_.from_zero ? zeros_like(p_) : x_;
  }

  void step() {
    const bool mixing = (t_ + 1) % m_.tau == 0;
    if (m_.form == mixing_form::choco_before_step && (mixing || g_.crossed)) send(x_);
    const rows half = descend(gradients());
    lr_of_round_ += p_.lr(t_);
    if (mixing) {
      x_ = mix_with_neighbors(half);
      observe();
      anchor_ = x_;
      lr_of_round_ = 0.0;
      ++round_;
    } else {
      x_ = half;
    }
    ++t_;
  }
  [[nodiscard]] const rows& x() const { return x_; }

 private:
  /// grad F_i at z; at z + rho g / ||g||; or at z + rho s^2 g / ||s g|| with s_k = |z_k| + eta or 1.
  [[nodiscard]] std::vector<double> at_point(point rule, std::size_t i, const std::vector<double>& z) const {
    if (rule == point::plain) return p_.gradient(i, z);
    if (rule == point::sam) return sam_gradient(p_, i, z, g_.rho);
    const std::vector<double> g = p_.gradient(i, z);
    std::vector<double> s, sg, up = z;
    for (std::size_t k = 0; k < p_.d; ++k) {
      s.push_back(tensors_.adaptive[k] ? std::abs(z[k]) + g_.eta : 1.0);
      sg.push_back(s[k] * g[k]);
    }
    for (std::size_t k = 0; k < p_.d; ++k) up[k] += g_.rho * s[k] * sg[k] / norm_of(sg);
    return p_.gradient(i, up);
  }
  [[nodiscard]] rows gradients() {
    rows result;
    if (!g_.crossed) {
      for (std::size_t i = 0; i < p_.n; ++i) result.push_back(at_point(g_.at, i, x_[i]));
      return result;
    }
    const crossed g = all_gradients();
    const crossed q = sent_back(g);
    const aggregation mine = g_.program ? program_per_tensor(p_, tensors_.ends) : neighborhood_mean(p_, 1.0);
    const aggregation theirs = neighborhood_mean(p_, 0.0);
    for (std::size_t i = 0; i < p_.n; ++i) {
      result.push_back(mine(i, q));
      if (g_.data_share == 1.0) continue;
      crossed own_replaced = g;
      own_replaced[i][i] = q[i][i];
      const std::vector<double> model_variant = theirs(i, own_replaced);
      for (std::size_t k = 0; k < p_.d; ++k) {
        result[i][k] = g_.data_share * result[i][k] + (1.0 - g_.data_share) * model_variant[k];
      }
    }
    return result;
  }
  /// g_ij for all neighbors j at what is known of their parameters, and for j = i.
  [[nodiscard]] crossed all_gradients() const {
    const bool copies = m_.form == mixing_form::choco_before_step;
    const rows mixed = mixture();
    crossed g(p_.n, rows(p_.n));
    for (std::size_t i = 0; i < p_.n; ++i) {
      for (std::size_t j = 0; j < p_.n; ++j) {
        if (p_.w[i * p_.n + j] == 0.0) continue;
        if (i == j) {
          g[i][i] = at_point(g_.at, i, g_.own_at_mixed ? mixed[i] : x_[i]);
        } else {
          g[i][j] = at_point(g_.plain_cross ? point::plain : g_.at, i, copies ? hat_[j] : x_[j]);
        }
      }
    }
    return g;
  }
  /// C(g_ij + e_ij), on edge 1 + j
  [[nodiscard]] crossed sent_back(const crossed& g) {
    crossed q = g;
    for (std::size_t i = 0; i < p_.n && g_.back; ++i) {
      for (std::size_t j = 0; j < p_.n; ++j) {
        if (g[i][j].empty() || (i == j && !g_.compress_own)) continue;
        std::vector<double> p = g[i][j];
        for (std::size_t k = 0; k < p_.d; ++k) p[k] += g_.feedback ? left_out_[i][j][k] : 0.0;
        q[i][j] = g_.back(p, {t_, i, 1 + j});
        for (std::size_t k = 0; k < p_.d; ++k) left_out_[i][j][k] = p[k] - q[i][j][k];
      }
    }
    return q;
  }

  /// x_half = x - eta u
  [[nodiscard]] rows descend(const rows& gradient) {
    rows half = x_;
    for (std::size_t i = 0; i < p_.n; ++i) {
      const double norm = norm_of(gradient[i]);
      const double scale = u_.most > 0.0 && norm > u_.most ? u_.most / norm : 1.0;
      for (std::size_t k = 0; k < p_.d; ++k) {
        const double g = scale * gradient[i][k] + u_.decay * x_[i][k];
        double& m = memory_[i][k];
        double u = g;
        if (u_.form == momentum_form::heavy_ball || u_.form == momentum_form::nesterov) {
          m = u_.beta * m + g;
          u = u_.form == momentum_form::nesterov ? g + u_.beta * m : m;
        } else if (u_.form != momentum_form::none) {
          const double ahead = u_.beta * m + g;
          u = u_.form == momentum_form::quasi_global_nesterov ? g + u_.beta * ahead : ahead;
        }
        half[i][k] -= p_.lr(t_) * u;
      }
    }
    return half;
  }
  /// The quasi-global momentum follows what the round did.
  void observe() {
    if (u_.form != momentum_form::quasi_global && u_.form != momentum_form::quasi_global_nesterov) return;
    for (std::size_t i = 0; i < p_.n; ++i) {
      for (std::size_t k = 0; k < p_.d; ++k) {
        memory_[i][k] = u_.mu * memory_[i][k] + (1.0 - u_.mu) * (anchor_[i][k] - x_[i][k]) / lr_of_round_;
      }
    }
  }

  [[nodiscard]] rows mix_with_neighbors(const rows& half) {
    switch (m_.form) {
      case mixing_form::none:
        return half;
      case mixing_form::gossip:
        return mix(p_, half, m_.gamma);
      case mixing_form::before_step:
      case mixing_form::choco_before_step:
        return before_step(half);
      case mixing_form::choco:
        return choco_round(half);
      case mixing_form::deep_squeeze:
        return deep_squeeze_round(half);
      case mixing_form::pull_push:
        return pull_and_push(half);
    }
    return {};
  }
  /// x + gamma (W x - x); of what is known of x where messages are compressed.
  [[nodiscard]] rows mixture() const {
    if (m_.form != mixing_form::choco_before_step) return mix(p_, x_, m_.gamma);
    const rows agreed = mix(p_, hat_, 1.0);
    rows mixed = x_;
    for (std::size_t i = 0; i < p_.n; ++i) {
      for (std::size_t k = 0; k < p_.d; ++k) mixed[i][k] += m_.gamma * (agreed[i][k] - hat_[i][k]);
    }
    return mixed;
  }
  [[nodiscard]] rows before_step(const rows& half) const {
    rows next = mixture();
    for (std::size_t i = 0; i < p_.n; ++i) {
      for (std::size_t k = 0; k < p_.d; ++k) next[i][k] += half[i][k] - x_[i][k];
    }
    return next;
  }
  /// hat <- hat + C(y - hat)
  void send(const rows& y) {
    for (std::size_t i = 0; i < p_.n; ++i) {
      std::vector<double> difference = y[i];
      for (std::size_t k = 0; k < p_.d; ++k) difference[k] -= hat_[i][k];
      const std::vector<double> q = m_.c(difference, {t_, i, 0});
      for (std::size_t k = 0; k < p_.d; ++k) hat_[i][k] += q[k];
    }
  }
  [[nodiscard]] rows choco_round(const rows& half) {
    if (!m_.mix_first) send(half);
    const rows agreed = mix(p_, hat_, 1.0);
    rows next = half;
    for (std::size_t i = 0; i < p_.n; ++i) {
      for (std::size_t k = 0; k < p_.d; ++k) {
        const double r = agreed[i][k] - hat_[i][k];
        double gamma = m_.gamma;
        if (m_.adaptive) {
          v_[i][k] = 0.999 * v_[i][k] + 0.001 * r * r;
          const double mean_square = v_[i][k] / (1.0 - std::pow(0.999, static_cast<double>(round_ + 1)));
          gamma = std::min(1.0, gamma / (std::sqrt(mean_square) + 1e-8));
        }
        next[i][k] += gamma * r;
      }
    }
    if (m_.mix_first) send(next);
    return next;
  }
  [[nodiscard]] rows deep_squeeze_round(const rows& half) {
    rows q;
    for (std::size_t i = 0; i < p_.n; ++i) {
      for (std::size_t k = 0; k < p_.d; ++k) e_[i][k] += half[i][k];
      q.push_back(m_.c(e_[i], {t_, i, 0}));
      for (std::size_t k = 0; k < p_.d; ++k) e_[i][k] -= q[i][k];
    }
    const rows agreed = mix(p_, q, 1.0);
    rows next = half;
    for (std::size_t i = 0; i < p_.n; ++i) {
      for (std::size_t k = 0; k < p_.d; ++k) next[i][k] += m_.gamma * (agreed[i][k] - q[i][k]);
    }
    return next;
  }
  /// x <- x - alpha d + lambda u (exact: - lambda mean u); with lambda = 0 the soft average, with alpha = 1 the average.
  [[nodiscard]] rows pull_and_push(const rows& half) const {
    const std::vector<double> mean = mean_of(half);
    rows u = half, next = half;
    for (std::size_t i = 0; i < p_.n; ++i) {
      for (std::size_t k = 0; k < p_.d; ++k) u[i][k] -= mean[k];
      const double r = norm_of(u[i]);
      for (std::size_t k = 0; k < p_.d; ++k) {
        next[i][k] -= m_.alpha * u[i][k];
        u[i][k] /= r;
        next[i][k] += m_.lambda * u[i][k];
      }
    }
    const std::vector<double> pushed = mean_of(u);
    for (auto& row : next) {
      for (std::size_t k = 0; m_.exact_push && k < p_.d; ++k) row[k] -= m_.lambda * pushed[k];
    }
    return next;
  }

  const stacked_problem& p_;
  const tensor_table& tensors_;
  gradient_formula g_;
  update_formula u_;
  mixing_formula m_;
  rows x_, anchor_;   // now, and at the start of the round
  rows memory_;       // of the momentum
  rows hat_, v_, e_;  // of choco, of its adaptive steps, of deep_squeeze
  crossed left_out_;  // e_ij
  double lr_of_round_ = 0.0;
  std::size_t t_ = 0, round_ = 0;
};

}  // namespace polder::test
