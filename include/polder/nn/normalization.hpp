// polder — normalizations without running statistics, so that a model on a batch stays a pure function.
#pragma once

#include <cmath>
#include <cstddef>
#include <memory>
#include <string_view>

#include "polder/core/error.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/shape.hpp"
#include "polder/nn/simd.hpp"

namespace polder::nn {

namespace detail {

template <class T>
class group_normalization;
template <class T>
class evolved_normalization;

/// The groups of channels of one image: each is `size` consecutive numbers.
struct channel_groups {
  std::size_t groups, channels_each, pixels;

  channel_groups(shape in, std::size_t count, std::string_view layer) : groups(count) {
    require<config_error>(count >= 1 && in.channels % count == 0, layer, ": ", in.channels,
                          " channels cannot be split into ", count, " equal groups: choose a divisor of ", in.channels);
    channels_each = in.channels / count;
    pixels = in.pixels();
  }
  [[nodiscard]] std::size_t size() const { return channels_each * pixels; }
};

/// mean and 1 / sqrt(var + epsilon), with the biased variance, in two passes over numbers in the nearest cache.
template <class T>
void moments(std::size_t n, const T* x, double epsilon, T& mean, T& inverse_deviation) {
  const T count = static_cast<T>(n);
  vec<T> sum{};
  for_vectors<T>(n, [&](auto at) { sum += at.get(x); });
  mean = sum_of_lanes<T>(sum) / count;
  vec<T> squares{};
  for_vectors<T>(n, [&](auto at) {
    const vec<T> gap = at.inside(at.get(x) - mean);
    squares += gap * gap;
  });
  inverse_deviation = static_cast<T>(1 / std::sqrt(static_cast<double>(sum_of_lanes<T>(squares) / count) + epsilon));
}

/// Adds to a gradient, or replaces it at the first image of a batch.
template <class T>
void accumulate(T& to, T value, bool overwrite) {
  to = overwrite ? value : to + value;
}

}  // namespace detail

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
      for_channels(i, [&](std::size_t channel, std::size_t first) {
        const T scale = saved[1] * (affine_ ? p.parameters[gamma_ + channel] : T{1});
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
      for_channels(i, [&](std::size_t channel, std::size_t first) {
        vec<T> dys{}, dys_n{};
        for_vectors<T>(groups_.pixels, [&](auto at) {
          const vec<T> d = at.get(dy + start + first);
          dys += d;
          dys_n += d * ((at.get(x + start + first) - mean) * r);
        });
        const T total = sum_of_lanes<T>(dys), total_n = sum_of_lanes<T>(dys_n);
        const T gamma = affine_ ? p.parameters[gamma_ + channel] : T{1};
        sum_dn += gamma * total;
        sum_dn_n += gamma * total_n;
        if (affine_) {
          const bool overwrite = p.overwrite && i < groups_.groups;
          accumulate(p.gradient[gamma_ + channel], total_n, overwrite);
          accumulate(p.gradient[beta_ + channel], total, overwrite);
        }
      });
      if (dx == nullptr) continue;
      const T count = static_cast<T>(groups_.size());
      const T mean_dn = sum_dn / count, mean_dn_n = sum_dn_n / count;
      for_channels(i, [&](std::size_t channel, std::size_t first) {
        const T gamma = affine_ ? p.parameters[gamma_ + channel] : T{1};
        for_vectors<T>(groups_.pixels, [&](auto at) {
          const vec<T> n = (at.get(x + start + first) - mean) * r;
          at.put(dx + start + first, r * (gamma * at.get(dy + start + first) - mean_dn - n * mean_dn_n));
        });
      });
    }
  }

 private:
  /// Calls `visit(channel, first)` for the channels of group `i`, counted over the images.
  template <class Visit>
  void for_channels(std::size_t i, const Visit& visit) const {
    for (std::size_t c = 0; c < groups_.channels_each; ++c) {
      visit(i % groups_.groups * groups_.channels_each + c, c * groups_.pixels);
    }
  }

  channel_groups groups_;
  double epsilon_;
  bool affine_;
  std::size_t gamma_, beta_;
};

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
      for_channels(i, [&](std::size_t channel, std::size_t first) {
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
      for_channels(i, [&](std::size_t channel, std::size_t first) {
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

 private:
  template <class Visit>
  void for_channels(std::size_t i, const Visit& visit) const {
    for (std::size_t c = 0; c < groups_.channels_each; ++c) {
      visit(i % groups_.groups * groups_.channels_each + c, c * groups_.pixels);
    }
  }

  channel_groups groups_;
  double epsilon_;
  std::size_t gamma_, beta_, v_;
};

}  // namespace detail
}  // namespace polder::nn
