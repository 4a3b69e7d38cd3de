// polder — group normalization and EvoNorm-S0 on a backend's own memory: a team for each group of an image.
#pragma once

#include <cmath>
#include <cstddef>
#include <memory>
#include <utility>

#include "polder/core/divider.hpp"
#include "polder/nn/device/shared.hpp"
#include "polder/nn/evonorm.hpp"
#include "polder/nn/group_norm.hpp"
#include "polder/nn/moments.hpp"
#include "polder/nn/operation.hpp"

namespace polder::nn {
namespace detail::device {

/// The groups of channels of a batch.
struct batch_groups {
  std::size_t images, groups, channels_each, pixels;
  divider by_groups = groups, by_channels_each = channels_each, by_pixels = pixels;

  [[nodiscard]] POLDER_HD std::size_t size() const { return channels_each * pixels; }

  /// One group of one image.
  struct group {
    std::size_t image, first_channel;
  };
  [[nodiscard]] POLDER_HD group number(std::size_t i) const {
    const auto [image, of_image] = by_groups.split(narrow(i));
    return {image, of_image * channels_each};
  }
  /// The channel of the j-th number of a group, and where that number lies.
  struct spot {
    std::size_t channel, place;
  };
  [[nodiscard]] POLDER_HD spot at(const group& g, std::size_t j) const {
    const auto [c, pixel] = by_pixels.split(narrow(j));
    const std::size_t channel = g.first_channel + c;
    return {channel, (channel * images + g.image) * pixels + pixel};
  }
  /// The group to which the j-th number of a channel, over images and pixels, belongs.
  [[nodiscard]] POLDER_HD std::size_t group_of(std::size_t channel, std::size_t j) const {
    return by_pixels.quotient(narrow(j)) * groups + by_channels_each.quotient(narrow(channel));
  }
};

/// What both normalizations hold of their parameters and gradients; null where there are none.
template <class T>
struct norm_parameters {
  const T *gamma = nullptr, *beta = nullptr, *v = nullptr;
  T *gamma_gradient = nullptr, *beta_gradient = nullptr, *v_gradient = nullptr;
  bool overwrite = true;

  [[nodiscard]] POLDER_HD T gamma_of(std::size_t channel) const { return gamma == nullptr ? T{1} : gamma[channel]; }
  [[nodiscard]] POLDER_HD T beta_of(std::size_t channel) const { return beta == nullptr ? T{0} : beta[channel]; }
};

/// mean and r = 1 / sqrt(var + epsilon) of each group, saved in turns, and y = formula(channel, x, mean, r).
template <class T, class Formula>
struct normalize_groups {
  batch_groups of;
  Formula formula;
  double epsilon;
  const T* x;
  T *saved, *y;
  template <class Team>
  POLDER_HD void operator()(const Team& team, std::size_t i) const {
    const auto n = static_cast<double>(of.size());
    const batch_groups::group own = of.number(i);
    const double center =
        team.sum(of.size(), [&](std::size_t j) { return static_cast<double>(x[of.at(own, j).place]); }) / n;
    const double squares = team.sum(of.size(), [&](std::size_t j) {
      const double gap = static_cast<double>(x[of.at(own, j).place]) - center;
      return gap * gap;
    });
    const T mean = static_cast<T>(center), r = static_cast<T>(1.0 / std::sqrt(squares / n + epsilon));
    team.each(of.size(), [&](std::size_t j) {
      const auto [channel, k] = of.at(own, j);
      y[k] = formula(channel, x[k], mean, r);
    });
    team.each(1, [&](std::size_t) {
      saved[2 * i] = mean;
      saved[2 * i + 1] = r;
    });
  }
};

/// gamma (x - mean) r + beta
template <class T>
struct normalized {
  norm_parameters<T> parameters;
  POLDER_HD T operator()(std::size_t channel, T x, T mean, T r) const {
    return (x - mean) * (r * parameters.gamma_of(channel)) + parameters.beta_of(channel);
  }
};
/// With n = (x - mean) r and dn = gamma dy: dx = r (dn - mean(dn) - n mean(dn n)).
template <class T>
struct normalize_back {
  batch_groups of;
  norm_parameters<T> parameters;
  const T *x, *dy, *saved;
  T* dx;
  template <class Team>
  POLDER_HD void operator()(const Team& team, std::size_t i) const {
    const T mean = saved[2 * i], r = saved[2 * i + 1];
    const batch_groups::group own = of.number(i);
    const auto sums = team.sum(of.size(), [&](std::size_t j) {
      const auto [channel, k] = of.at(own, j);
      const double dn = static_cast<double>(parameters.gamma_of(channel) * dy[k]);
      return several<2>{{dn, dn * static_cast<double>((x[k] - mean) * r)}};
    });
    const auto size = static_cast<double>(of.size());
    const T mean_dn = static_cast<T>(sums.values[0] / size), mean_dn_n = static_cast<T>(sums.values[1] / size);
    team.each(of.size(), [&](std::size_t j) {
      const auto [channel, k] = of.at(own, j);
      const T n = (x[k] - mean) * r;
      dx[k] = r * (parameters.gamma_of(channel) * dy[k] - mean_dn - n * mean_dn_n);
    });
  }
};
/// d gamma = sum of dy n, d beta = sum of dy, over the images and pixels of a channel
template <class T>
struct normalize_parameters {
  batch_groups of;
  norm_parameters<T> parameters;
  const T *x, *dy, *saved;
  template <class Team>
  POLDER_HD void operator()(const Team& team, std::size_t channel) const {
    const std::size_t count = of.images * of.pixels, first = channel * count;
    const auto sums = team.sum(count, [&](std::size_t j) {
      const T* const moments = saved + 2 * of.group_of(channel, j);
      const auto d = static_cast<double>(dy[first + j]);
      return several<2>{{d * static_cast<double>((x[first + j] - moments[0]) * moments[1]), d}};
    });
    team.each(1, [&](std::size_t) {
      accumulate(parameters.gamma_gradient[channel], sums.values[0], parameters.overwrite);
      accumulate(parameters.beta_gradient[channel], sums.values[1], parameters.overwrite);
    });
  }
};

template <class T>
[[nodiscard]] POLDER_HD T sigmoid(T x) {
  return static_cast<T>(1.0 / (1.0 + std::exp(-static_cast<double>(x))));
}

/// gamma x sigmoid(v x) r + beta
template <class T>
struct evolved {
  norm_parameters<T> parameters;
  POLDER_HD T operator()(std::size_t channel, T x, T, T r) const {
    return parameters.gamma[channel] * r * (x * sigmoid(parameters.v[channel] * x)) + parameters.beta[channel];
  }
};
/// dx = gamma r dy (s + v x s (1 - s)) - r³ (x - mean) / N · the group's sum of gamma dy x s
template <class T>
struct evolve_back {
  batch_groups of;
  norm_parameters<T> parameters;
  const T *x, *dy, *saved;
  T* dx;
  template <class Team>
  POLDER_HD void operator()(const Team& team, std::size_t i) const {
    const T mean = saved[2 * i], r = saved[2 * i + 1];
    const batch_groups::group own = of.number(i);
    const double weighted = team.sum(of.size(), [&](std::size_t j) {
      const auto [channel, k] = of.at(own, j);
      return static_cast<double>(parameters.gamma[channel] * dy[k]) *
             static_cast<double>(x[k] * sigmoid(parameters.v[channel] * x[k]));
    });
    const T pull = static_cast<T>(static_cast<double>(r) * static_cast<double>(r) * static_cast<double>(r) * weighted /
                                  static_cast<double>(of.size()));
    team.each(of.size(), [&](std::size_t j) {
      const auto [channel, k] = of.at(own, j);
      const T v = parameters.v[channel], s = sigmoid(v * x[k]);
      dx[k] = parameters.gamma[channel] * r * dy[k] * (s + v * x[k] * s * (T{1} - s)) - pull * (x[k] - mean);
    });
  }
};
/// d gamma = sum of r dy x s, d beta = sum of dy, d v = gamma · sum of r dy x² s (1 - s)
template <class T>
struct evolve_parameters {
  batch_groups of;
  norm_parameters<T> parameters;
  const T *x, *dy, *saved;
  template <class Team>
  POLDER_HD void operator()(const Team& team, std::size_t channel) const {
    const std::size_t count = of.images * of.pixels, first = channel * count;
    const auto sums = team.sum(count, [&](std::size_t j) {
      const T a = x[first + j], s = sigmoid(parameters.v[channel] * a);
      const auto d = static_cast<double>(dy[first + j]);
      const double rd = d * static_cast<double>(saved[2 * of.group_of(channel, j) + 1]);
      return several<3>{{rd * static_cast<double>(a * s), d, rd * static_cast<double>(a * a * s * (T{1} - s))}};
    });
    team.each(1, [&](std::size_t) {
      accumulate(parameters.gamma_gradient[channel], sums.values[0], parameters.overwrite);
      accumulate(parameters.beta_gradient[channel], sums.values[1], parameters.overwrite);
      accumulate(parameters.v_gradient[channel], static_cast<double>(parameters.gamma[channel]) * sums.values[2],
                 parameters.overwrite);
    });
  }
};

/// Both: they differ in their kernels and in v.
template <class T, kernel_backend B, template <class> class Formula, template <class> class Back,
          template <class> class Parameters>
class normalization final : public operation<T> {
 public:
  normalization(B backend, binder& b, shape in, channel_groups groups, double epsilon, bool affine, bool has_v)
      : backend_(std::move(backend)),
        in_(in),
        groups_(groups),
        epsilon_(epsilon),
        affine_(affine),
        has_v_(has_v),
        gamma_(affine ? b.add("gamma", {in.channels}, {1.0, 0.0}) : 0),
        beta_(affine ? b.add("beta", {in.channels}, {}) : 0),
        v_(has_v ? b.add("v", {in.channels}, {1.0, 0.0}) : 0) {}

  /// Mean and inverse deviation of each group.
  std::size_t saved() const override { return padded(2 * groups_.groups); }

  void forward(const pass<T>& p, const T* x, T* y, T* saved) const override {
    const batch_groups of = of_batch(p.images);
    backend_.teams(p.images * of.groups, normalize_groups<T, Formula<T>>{of, {parameters(p)}, epsilon_, x, saved, y});
  }
  void backward(const pass<T>& p, const T* x, const T*, const T* dy, T* dx, const T* saved) const override {
    const batch_groups of = of_batch(p.images);
    if (affine_ && p.gradient != nullptr) {
      backend_.teams(in_.channels, Parameters<T>{of, parameters(p), x, dy, saved});
    }
    if (dx != nullptr) backend_.teams(p.images * of.groups, Back<T>{of, parameters(p), x, dy, saved, dx});
  }

 private:
  [[nodiscard]] batch_groups of_batch(std::size_t images) const {
    (void)narrow_count(images * in_.size());
    return {images, groups_.groups, groups_.channels_each, groups_.pixels};
  }
  [[nodiscard]] norm_parameters<T> parameters(const pass<T>& p) const {
    norm_parameters<T> all;
    all.overwrite = p.overwrite;
    if (affine_) {
      all.gamma = p.parameters + gamma_;
      all.beta = p.parameters + beta_;
      all.gamma_gradient = advanced(p.gradient, gamma_);
      all.beta_gradient = advanced(p.gradient, beta_);
    }
    if (has_v_) {
      all.v = p.parameters + v_;
      all.v_gradient = advanced(p.gradient, v_);
    }
    return all;
  }

  B backend_;
  shape in_;
  channel_groups groups_;
  double epsilon_;
  bool affine_, has_v_;
  std::size_t gamma_, beta_, v_;
};

}  // namespace detail::device

template <class T, kernel_backend B>
[[nodiscard]] std::unique_ptr<operation<T>> bind_on(const B& backend, const group_norm& layer, binder& b, shape in) {
  using namespace detail::device;
  return std::make_unique<normalization<T, B, normalized, normalize_back, normalize_parameters>>(
      backend, b, in, detail::channel_groups(in, layer.groups, "group_norm"), layer.epsilon, layer.affine, false);
}
template <class T, kernel_backend B>
[[nodiscard]] std::unique_ptr<operation<T>> bind_on(const B& backend, const evonorm_s0& layer, binder& b, shape in) {
  using namespace detail::device;
  return std::make_unique<normalization<T, B, evolved, evolve_back, evolve_parameters>>(
      backend, b, in, detail::channel_groups(in, layer.groups, "evonorm_s0"), layer.epsilon, true, true);
}

}  // namespace polder::nn
