// Compressed cross-gradients, written from their formulas on a [workers][dimension] matrix in double. Compressors are
// written here as well; of the library they use only the random words that a rounding is documented to take.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "polder/core/random.hpp"
#include "recipes/stacked_cross_gradients.hpp"

namespace polder::test {

/// Which message of the run a vector becomes.
struct message_place {
  std::size_t step = 0, worker = 0, edge = 0;
};
/// What receivers read in the place of a vector.
using stamped_codec = std::function<std::vector<double>(const std::vector<double>& v, const message_place& at)>;

/// (||v||_1 / m) sign(v) for each tensor, with the scale a float32 as on the wire.
inline stamped_codec sign_per_tensor(std::vector<std::size_t> ends) {
  return [ends](const std::vector<double>& v, const message_place&) {
    std::vector<double> q;
    for (const std::size_t end : ends) {
      const std::size_t begin = q.size();
      double sum = 0.0;
      for (std::size_t k = begin; k < end; ++k) sum += std::abs(v[k]);
      const auto scale = static_cast<double>(static_cast<float>(sum / static_cast<double>(end - begin)));
      for (std::size_t k = begin; k < end; ++k) q.push_back(v[k] < 0.0 ? -scale : scale);
    }
    return q;
  };
}

/// c ||v|| sign(v) l / s for each tensor of up to 128 numbers: l is s |v| / ||v||, in whole 2^-16, rounded at random; the
/// norm is a float32 that is not below it; c makes it a contraction.
inline stamped_codec qsgd_per_tensor(std::vector<std::size_t> ends, unsigned bits, std::uint64_t seed) {
  return [ends, bits, seed](const std::vector<double>& v, const message_place& at) {
    const random_key key{seed, purpose::rounding, at.step, static_cast<std::uint32_t>(at.worker),
                         static_cast<std::uint32_t>(at.edge)};
    const double s = std::pow(2.0, bits - 1.0) - 1.0;
    std::vector<double> q;
    for (std::size_t tensor = 0; tensor < ends.size(); ++tensor) {
      const std::size_t begin = q.size();
      const double m = static_cast<double>(ends[tensor] - begin);
      double sum = 0.0;
      for (std::size_t k = begin; k < ends[tensor]; ++k) sum += v[k] * v[k];
      auto norm = static_cast<float>(std::sqrt(sum));
      if (static_cast<double>(norm) < std::sqrt(sum)) {
        norm = std::nextafter(norm, std::numeric_limits<float>::infinity());
      }
      const double shrinkage = 1.0 / (1.0 + std::min(m / (s * s), std::sqrt(m) / s));
      for (std::size_t k = begin; k < ends[tensor]; ++k) {
        if (norm == 0.0f) {
          q.push_back(0.0);
          continue;
        }
        const std::size_t j = k - begin;
        const auto words = random_words(key, tensor * 16 + j % 16);
        const double chance = (words[j / 16 % 4] >> (j < 64 ? 0 : 16) & 0xFFFFu) * 0x1p-16;
        const double r = std::floor(s * std::abs(v[k]) / static_cast<double>(norm) * 65536.0 + 0.5) / 65536.0;
        const double level = std::floor(r) + (chance >= 1.0 - (r - std::floor(r)) ? 1.0 : 0.0);
        q.push_back(std::copysign(shrinkage * static_cast<double>(norm) / s * level, v[k]));
      }
    }
    return q;
  };
}

/// What compression adds to the formulas of a method. method.aggregate stands for the whole aggregate where a = 1; with
/// a < 1 it is the data-variant part A, and `model_variant` is B.
struct compressed_cross {
  cross_method method;
  stamped_codec parameters{};  // C1; none: the neighbors have the parameters themselves
  stamped_codec gradients{};   // C2; none: uncompressed
  bool feedback = true;        // of C2, for each neighbor
  bool own = false;            // whether C2 also takes the own gradient
  bool from_zero = false;      // where the copies begin
  double share = 1.0;          // a
  aggregation model_variant{};
};

inline rows stacked_compressed_cross(const stacked_problem& p, rows x, std::size_t total, const compressed_cross& how) {
  const cross_method& method = how.method;
  rows m = zeros_like(p), hat = how.from_zero ? zeros_like(p) : x;
  crossed e(p.n, zeros_like(p));  // e[i][j]: what worker i has left out of what it sent to j
  for (std::size_t t = 0; t < total; ++t) {
    for (std::size_t i = 0; i < p.n; ++i) {
      if (!how.parameters) {
        hat[i] = x[i];
        continue;
      }
      std::vector<double> difference(p.d);
      for (std::size_t k = 0; k < p.d; ++k) difference[k] = x[i][k] - hat[i][k];
      const auto q = how.parameters(difference, {t, i, 0});
      for (std::size_t k = 0; k < p.d; ++k) hat[i][k] += q[k];
    }
    rows mixture = x;
    for (std::size_t i = 0; i < p.n; ++i) {
      for (std::size_t k = 0; k < p.d; ++k) {
        double r = -hat[i][k];
        for (std::size_t j = 0; j < p.n; ++j) r += p.w[i * p.n + j] * hat[j][k];
        mixture[i][k] += method.gamma * r;
      }
    }
    crossed g(p.n, rows(p.n)), q(p.n, rows(p.n));
    for (std::size_t i = 0; i < p.n; ++i) {
      for (std::size_t j = 0; j < p.n; ++j) {
        if (p.w[i * p.n + j] == 0.0) continue;
        const auto& own_point = method.sequence == order::gradient_at_mixed ? mixture[i] : x[i];
        const double rho = i == j ? method.rho_own : method.rho_cross;
        const auto& at = i == j ? own_point : hat[j];
        g[i][j] = rho > 0.0 ? sam_gradient(p, i, at, rho) : p.gradient(i, at);
        q[i][j] = g[i][j];
        if (!how.gradients || (i == j && !how.own)) continue;
        std::vector<double> input = g[i][j];
        for (std::size_t k = 0; k < p.d; ++k) input[k] += how.feedback ? e[i][j][k] : 0.0;
        q[i][j] = how.gradients(input, {t, i, 1 + j});
        for (std::size_t k = 0; k < p.d; ++k) e[i][j][k] = input[k] - q[i][j][k];
      }
      g[i][i] = q[i][i];
    }
    rows next = mixture;
    for (std::size_t i = 0; i < p.n; ++i) {
      std::vector<double> whole = method.aggregate(i, q);
      if (how.share < 1.0) {
        const std::vector<double> model = how.model_variant(i, g);
        for (std::size_t k = 0; k < p.d; ++k) whole[k] = how.share * whole[k] + (1.0 - how.share) * model[k];
      }
      const auto step = update_of(p, method, t, x[i], whole, m[i]);
      for (std::size_t k = 0; k < p.d; ++k) next[i][k] -= step[k];
    }
    observe_step(p, method, t, x, next, m);
    x = next;
  }
  return x;
}

}  // namespace polder::test
