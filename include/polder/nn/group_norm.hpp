// polder — group normalization: without running statistics, so that a model on a batch stays a pure function.
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
class group_normalization;
}

/// y = gamma_c (x - mean_g) / sqrt(var_g + epsilon) + beta_c, with mean and biased variance over the channels and
/// pixels of group g of one image (Wu, He: "Group Normalization", ECCV 2018).
///
/// Tensors if affine: gamma (channels) from 1, beta (channels) from 0.
struct group_norm {
  static constexpr std::string_view name = "norm";

  std::size_t groups = 2;  ///< a divisor of the channels
  bool affine = true;      ///< whether gamma and beta are learned
  double epsilon = 1e-5;

  [[nodiscard]] shape output(shape in) const {
    const detail::channel_groups valid(in, groups, "group_norm");
    return in;
  }
  template <class T>
  [[nodiscard]] std::unique_ptr<operation<T>> bind(binder& b, shape in) const {
    return std::make_unique<detail::group_normalization<T>>(b, *this, in);
  }
};

namespace detail {

template <class T>
class group_normalization final : public operation<T> {
 public:
  group_normalization(binder& b, const group_norm& layer, shape in)
      : groups_(in, layer.groups, "group_norm"),
        epsilon_(layer.epsilon),
        affine_(layer.affine),
        gamma_(affine_ ? b.add("gamma", {in.channels}, {1.0, 0.0}) : 0),
        beta_(affine_ ? b.add("beta", {in.channels}, {}) : 0) {}

  /// Mean and inverse deviation of each group.
  std::size_t saved() const override { return padded(2 * groups_.groups); }

  void forward(const pass<T>& p, const T* x, T* y, T* saved) const override {
    for (std::size_t i = 0; i < p.images * groups_.groups; ++i, x += groups_.size(), y += groups_.size(), saved += 2) {
      moments(groups_.size(), x, epsilon_, saved[0], saved[1]);
      groups_.for_channels(i, [&](std::size_t channel, std::size_t first) {
        const T scale = saved[1] * gamma_of(p.parameters, channel);
        const T mean = saved[0], shift = affine_ ? p.parameters[beta_ + channel] : T{0};
        for_vectors<T>(groups_.pixels, [&](auto at) { at.put(y + first, (at.get(x + first) - mean) * scale + shift); });
      });
    }
  }

  // With n = (x - mean) r and dn = gamma dy: dx = r (dn - mean(dn) - n mean(dn n)).
  void backward(const pass<T>& p, const T* x, const T*, const T* dy, T* dx, const T* saved) const override {
    for (std::size_t i = 0; i < p.images * groups_.groups; ++i, saved += 2) {
      const std::size_t start = i * groups_.size();
      const T mean = saved[0], r = saved[1];
      T sum_dn{0}, sum_dn_n{0};
      groups_.for_channels(i, [&](std::size_t channel, std::size_t first) {
        vec<T> dys{}, dys_n{};
        for_vectors<T>(groups_.pixels, [&](auto at) {
          const vec<T> d = at.get(dy + start + first);
          dys += d;
          dys_n += d * ((at.get(x + start + first) - mean) * r);
        });
        const T total = sum_of_lanes<T>(dys), total_n = sum_of_lanes<T>(dys_n);
        const T gamma = gamma_of(p.parameters, channel);
        sum_dn += gamma * total;
        sum_dn_n += gamma * total_n;
        if (affine_ && p.gradient != nullptr) {
          const bool overwrite = p.overwrite && i < groups_.groups;
          accumulate(p.gradient[gamma_ + channel], total_n, overwrite);
          accumulate(p.gradient[beta_ + channel], total, overwrite);
        }
      });
      if (dx == nullptr) continue;
      const T count = static_cast<T>(groups_.size());
      const T mean_dn = sum_dn / count, mean_dn_n = sum_dn_n / count;
      groups_.for_channels(i, [&](std::size_t channel, std::size_t first) {
        const T gamma = gamma_of(p.parameters, channel);
        for_vectors<T>(groups_.pixels, [&](auto at) {
          const vec<T> n = (at.get(x + start + first) - mean) * r;
          at.put(dx + start + first, r * (gamma * at.get(dy + start + first) - mean_dn - n * mean_dn_n));
        });
      });
    }
  }

  // With n = (x - mean) r: n' = r (x' - mean') + r' (x - mean), y' = gamma n' + gamma' n + beta'.
  void tangent_forward(const pass<T>& p, tangent<T> x, const T*, T* y_slope, const T* saved,
                       T* saved_slope) const override {
    slopes_of_moments(groups_, p.images, x, saved, saved_slope);
    for (std::size_t i = 0; i < p.images * groups_.groups; ++i, y_slope += groups_.size()) {
      const group_moments<T> group(groups_, i, x, {saved, saved_slope});
      groups_.for_channels(i, [&](std::size_t channel, std::size_t first) {
        const T gamma = gamma_of(p.parameters, channel);
        const T gamma_slope = affine_ ? p.direction[gamma_ + channel] : T{0};
        const T beta_slope = affine_ ? p.direction[beta_ + channel] : T{0};
        const T of_gap = gamma * group.r_slope + gamma_slope * group.r, of_slope = gamma * group.r;
        for_vectors<T>(groups_.pixels, [&](auto at) {
          at.put(y_slope + first, of_gap * group.gap(at, first) + of_slope * group.gap_slope(at, first) + beta_slope);
        });
      });
    }
  }

  // The derivative of dx = r (dn - mean(dn) - n mean(dn n)), its second factor called e:
  //   dx' = r' e + r (dn' - mean(dn') - n' mean(dn n) - n mean(dn' n + dn n'))
  void tangent_backward(const pass<T>& p, tangent<T> x, tangent<T>, tangent<T> dy, T* dx_slope,
                        tangent<T> saved) const override {
    for (std::size_t i = 0; i < p.images * groups_.groups; ++i) {
      const group_moments<T> group(groups_, i, x, saved);
      const tangent<T> d = advanced(dy, i * groups_.size());
      const T r = group.r, r_slope = group.r_slope;
      T mean_dn{0}, mean_dn_n{0}, mean_slope{0}, mean_n_slope{0};
      groups_.for_channels(i, [&](std::size_t channel, std::size_t first) {
        vec<T> dys{}, dys_n{}, slopes{}, slopes_n{};
        for_vectors<T>(groups_.pixels, [&](auto at) {
          const vec<T> gap = group.gap(at, first), v = at.get(d.value + first), v_slope = at.get(d.slope + first);
          const vec<T> n = gap * r, n_slope = gap * r_slope + group.gap_slope(at, first) * r;
          dys += v;
          dys_n += v * n;
          slopes += v_slope;
          slopes_n += v_slope * n + v * n_slope;
        });
        const T gamma = gamma_of(p.parameters, channel);
        const T gamma_slope = affine_ ? p.direction[gamma_ + channel] : T{0};
        const T sum = sum_of_lanes<T>(dys), sum_n = sum_of_lanes<T>(dys_n);
        const T slope = sum_of_lanes<T>(slopes), slope_n = sum_of_lanes<T>(slopes_n);
        mean_dn += gamma * sum;
        mean_dn_n += gamma * sum_n;
        mean_slope += gamma * slope + gamma_slope * sum;
        mean_n_slope += gamma * slope_n + gamma_slope * sum_n;
        if (affine_) {
          const bool overwrite = p.overwrite && i < groups_.groups;
          accumulate(p.gradient[gamma_ + channel], slope_n, overwrite);
          accumulate(p.gradient[beta_ + channel], slope, overwrite);
        }
      });
      if (dx_slope == nullptr) continue;
      for (T* mean : {&mean_dn, &mean_dn_n, &mean_slope, &mean_n_slope}) *mean /= static_cast<T>(groups_.size());
      T* const to = dx_slope + i * groups_.size();
      groups_.for_channels(i, [&](std::size_t channel, std::size_t first) {
        const T gamma = gamma_of(p.parameters, channel);
        const T gamma_slope = affine_ ? p.direction[gamma_ + channel] : T{0};
        for_vectors<T>(groups_.pixels, [&](auto at) {
          const vec<T> gap = group.gap(at, first), v = at.get(d.value + first), v_slope = at.get(d.slope + first);
          const vec<T> n = gap * r, n_slope = gap * r_slope + group.gap_slope(at, first) * r;
          const vec<T> e = gamma * v - mean_dn - n * mean_dn_n;
          const vec<T> change = gamma_slope * v + gamma * v_slope - mean_slope - n_slope * mean_dn_n - n * mean_n_slope;
          at.put(to + first, r_slope * e + r * change);
        });
      });
    }
  }

 private:
  T gamma_of(const T* parameters, std::size_t channel) const { return affine_ ? parameters[gamma_ + channel] : T{1}; }

  channel_groups groups_;
  double epsilon_;
  bool affine_;
  std::size_t gamma_, beta_;
};

}  // namespace detail
}  // namespace polder::nn
