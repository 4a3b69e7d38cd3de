// polder — EvoNorm-S0: normalization and activation in one, without running statistics.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "polder/nn/moments.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/shape.hpp"
#include "polder/nn/simd.hpp"

namespace polder::nn {

namespace detail {
template <class T>
class evolved_normalization;
}

/// y = gamma_c x sigmoid(v_c x) / sqrt(var_g + epsilon) + beta_c, with the biased variance over the channels and pixels
/// of group g of one image: normalization and activation in one (Liu, Brock, Simonyan, Le: "Evolving
/// Normalization-Activation Layers", NeurIPS 2020, EvoNorm-S0). No ReLU belongs after it.
///
/// Tensors: gamma (channels) from 1, beta (channels) from 0, v (channels) from 1.
struct evonorm_s0 {
  static constexpr std::string_view name = "norm";

  std::size_t groups = 8;  ///< a divisor of the channels
  double epsilon = 1e-5;

  [[nodiscard]] shape output(shape in) const {
    const detail::channel_groups valid(in, groups, "evonorm_s0");
    return in;
  }
  template <class T>
  [[nodiscard]] std::unique_ptr<operation<T>> bind(binder& b, shape in) const {
    return std::make_unique<detail::evolved_normalization<T>>(b, *this, in);
  }
};

namespace detail {

template <class T>
class evolved_normalization final : public operation<T> {
 public:
  evolved_normalization(binder& b, const evonorm_s0& layer, shape in)
      : groups_(in, layer.groups, "evonorm_s0"),
        epsilon_(layer.epsilon),
        gamma_(b.add("gamma", {in.channels}, {1.0, 0.0})),
        beta_(b.add("beta", {in.channels}, {})),
        v_(b.add("v", {in.channels}, {1.0, 0.0})) {}

  /// Mean and inverse deviation of each group.
  std::size_t saved() const override { return padded(2 * groups_.groups); }
  /// The numerator's share of dx, where the caller wants none.
  std::size_t scratch(std::size_t) const override { return padded(groups_.size()); }

  void forward(const pass<T>& p, const T* x, T* y, T* saved) const override {
    for (std::size_t i = 0; i < p.images * groups_.groups; ++i, x += groups_.size(), y += groups_.size(), saved += 2) {
      moments(groups_.size(), x, epsilon_, saved[0], saved[1]);
      groups_.for_channels(i, [&](std::size_t channel, std::size_t first) {
        const T scale = saved[1] * p.parameters[gamma_ + channel];
        const T shift = p.parameters[beta_ + channel], v = p.parameters[v_ + channel];
        for_vectors<T>(groups_.pixels, [&](auto at) {
          const vec<T> a = at.get(x + first);
          at.put(y + first, scale * (a * sigmoid<T>(v * a)) + shift);
        });
      });
    }
  }

  // With s = sigmoid(v x), r = 1 / sqrt(var + epsilon) and N numbers in a group, y = gamma r x s + beta:
  //   dx = gamma r dy (s + v x s (1 - s)) - r^3 (x - mean) / N · sum over the group of gamma dy x s
  void backward(const pass<T>& p, const T* x, const T*, const T* dy, T* dx, const T* saved) const override {
    for (std::size_t i = 0; i < p.images * groups_.groups; ++i, saved += 2) {
      const std::size_t start = i * groups_.size();
      const T mean = saved[0], r = saved[1];
      T* const share = dx == nullptr ? p.scratch : dx + start;
      T weighted{0};
      groups_.for_channels(i, [&](std::size_t channel, std::size_t first) {
        const T gamma = p.parameters[gamma_ + channel], v = p.parameters[v_ + channel];
        const T scale = gamma * r;
        vec<T> dys{}, dys_n{}, dys_v{};
        for_vectors<T>(groups_.pixels, [&](auto at) {
          const vec<T> a = at.get(x + start + first), d = at.get(dy + start + first);
          const vec<T> s = sigmoid<T>(v * a);
          const vec<T> n = a * s;
          const vec<T> slope = n * (T{1} - s);
          dys += d;
          dys_n += d * n;
          dys_v += d * (a * slope);
          at.put(share + first, scale * d * (s + v * slope));
        });
        const T total_n = sum_of_lanes<T>(dys_n);
        weighted += gamma * total_n;
        const bool overwrite = p.overwrite && i < groups_.groups;
        if (p.gradient == nullptr) return;
        accumulate(p.gradient[gamma_ + channel], r * total_n, overwrite);
        accumulate(p.gradient[beta_ + channel], sum_of_lanes<T>(dys), overwrite);
        accumulate(p.gradient[v_ + channel], scale * sum_of_lanes<T>(dys_v), overwrite);
      });
      if (dx == nullptr) continue;
      const T pull = r * r * r * weighted / static_cast<T>(groups_.size());
      for_vectors<T>(groups_.size(),
                     [&](auto at) { at.put(share, at.get(share) - pull * (at.get(x + start) - mean)); });
    }
  }

  // With u = x s, w = v x, w' = v' x + v x': s' = s (1 - s) w', u' = x' s + x s', y' = (gamma r)' u + gamma r u' + beta'.
  void tangent_forward(const pass<T>& p, tangent<T> x, const T*, T* y_slope, const T* saved,
                       T* saved_slope) const override {
    slopes_of_moments(groups_, p.images, x, saved, saved_slope);
    for (std::size_t i = 0; i < p.images * groups_.groups; ++i, y_slope += groups_.size()) {
      const group_moments<T> group(groups_, i, x, {saved, saved_slope});
      groups_.for_channels(i, [&](std::size_t channel, std::size_t first) {
        const coefficients c(*this, p, channel, group);
        for_vectors<T>(groups_.pixels, [&](auto at) {
          const swish z(at.get(group.x.value + first), group.slope(at, first), c);
          at.put(y_slope + first, c.scale_slope * z.u + c.scale * z.u_slope + c.beta_slope);
        });
      });
    }
  }

  // The derivative of dx below. With e = du/dx = s + v x s (1 - s), P the sum over the group and gaps x - mean:
  //   dx' = (gamma r)' dy e + gamma r (dy' e + dy e') - (r^3 P / N)' (x - mean) - r^3 P / N (x' - mean')
  std::size_t tangent_scratch(std::size_t images) const override { return scratch(images); }
  void tangent_backward(const pass<T>& p, tangent<T> x, tangent<T>, tangent<T> dy, T* dx_slope,
                        tangent<T> saved) const override {
    for (std::size_t i = 0; i < p.images * groups_.groups; ++i) {
      const group_moments<T> group(groups_, i, x, saved);
      const tangent<T> d = advanced(dy, i * groups_.size());
      T* const share = dx_slope == nullptr ? p.scratch : dx_slope + i * groups_.size();
      T weighted{0}, weighted_slope{0};
      groups_.for_channels(i, [&](std::size_t channel, std::size_t first) {
        const coefficients c(*this, p, channel, group);
        vec<T> dy_slopes{}, dys_u{}, slopes_u{}, dys_v{}, slopes_v{};
        for_vectors<T>(groups_.pixels, [&](auto at) {
          const vec<T> a = at.get(group.x.value + first), a_slope = group.slope(at, first);
          const vec<T> g = at.get(d.value + first), g_slope = at.get(d.slope + first);
          const swish z(a, a_slope, c);
          dy_slopes += g_slope;
          dys_u += g * z.u;
          slopes_u += g_slope * z.u + g * z.u_slope;
          dys_v += g * (a * z.bend);
          slopes_v += (g_slope * a + g * a_slope) * z.bend + g * (a * z.bend_slope);
          const vec<T> e = z.s + c.v * z.bend, e_slope = z.s_slope + c.v_slope * z.bend + c.v * z.bend_slope;
          at.put(share + first, c.scale_slope * g * e + c.scale * (g_slope * e + g * e_slope));
        });
        const T u = sum_of_lanes<T>(dys_u), u_slope = sum_of_lanes<T>(slopes_u);
        weighted += c.gamma * u;
        weighted_slope += c.gamma_slope * u + c.gamma * u_slope;
        const bool overwrite = p.overwrite && i < groups_.groups;
        accumulate(p.gradient[gamma_ + channel], group.r_slope * u + group.r * u_slope, overwrite);
        accumulate(p.gradient[beta_ + channel], sum_of_lanes<T>(dy_slopes), overwrite);
        accumulate(p.gradient[v_ + channel],
                   c.scale_slope * sum_of_lanes<T>(dys_v) + c.scale * sum_of_lanes<T>(slopes_v), overwrite);
      });
      if (dx_slope == nullptr) continue;
      const T r = group.r, count = static_cast<T>(groups_.size());
      const T pull = r * r * r * weighted / count;
      const T pull_slope = (3 * r * r * group.r_slope * weighted + r * r * r * weighted_slope) / count;
      for_vectors<T>(groups_.size(), [&](auto at) {
        at.put(share, at.get(share) - pull_slope * group.gap(at, 0) - pull * group.gap_slope(at, 0));
      });
    }
  }

 private:
  /// The parameters of one channel with the moments of its group, and their derivatives.
  struct coefficients {
    T gamma, gamma_slope, v, v_slope, beta_slope;
    T scale, scale_slope;  // of gamma r

    coefficients(const evolved_normalization& layer, const pass<T>& p, std::size_t channel,
                 const group_moments<T>& group)
        : gamma(p.parameters[layer.gamma_ + channel]),
          gamma_slope(p.direction[layer.gamma_ + channel]),
          v(p.parameters[layer.v_ + channel]),
          v_slope(p.direction[layer.v_ + channel]),
          beta_slope(p.direction[layer.beta_ + channel]),
          scale(gamma * group.r),
          scale_slope(gamma_slope * group.r + gamma * group.r_slope) {}
  };
  /// u = x s with s = sigmoid(v x), x s (1 - s), and their derivatives.
  struct swish {
    vec<T> s, s_slope, u, u_slope, bend, bend_slope;

    POLDER_INLINE swish(vec<T> x, vec<T> x_slope, const coefficients& c) {
      s = sigmoid<T>(c.v * x);
      const vec<T> w_slope = c.v_slope * x + c.v * x_slope;
      const vec<T> steep = s * (T{1} - s);
      s_slope = steep * w_slope;
      u = x * s;
      u_slope = x_slope * s + x * s_slope;
      bend = x * steep;
      bend_slope = steep * (x_slope + x * (T{1} - T{2} * s) * w_slope);
    }
  };

  channel_groups groups_;
  double epsilon_;
  std::size_t gamma_, beta_, v_;
};

}  // namespace detail
}  // namespace polder::nn
