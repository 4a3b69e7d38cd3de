// polder — what normalizations share: groups of channels, their means and deviations, and the derivatives of those.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>

#include "polder/core/config.hpp"
#include "polder/core/error.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/shape.hpp"
#include "polder/nn/simd.hpp"

namespace polder::nn::detail {

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
  /// Calls `visit(channel, first)` for the channels of group `i`, counted over the images; `first` is the channel's
  /// first number in the group.
  template <class Visit>
  void for_channels(std::size_t i, const Visit& visit) const {
    for (std::size_t c = 0; c < channels_each; ++c) visit(i % groups * channels_each + c, c * pixels);
  }
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

/// One group with its moments: mean and r = 1 / sqrt(var + epsilon), as they are saved, and their derivatives.
template <class T>
struct group_moments {
  tangent<T> x;
  T mean{}, r{}, mean_slope{}, r_slope{};

  group_moments(const channel_groups& groups, std::size_t i, tangent<T> all, tangent<T> saved)
      : x(advanced(all, i * groups.size())),
        mean(saved.value[2 * i]),
        r(saved.value[2 * i + 1]),
        mean_slope(saved.slope[2 * i]),
        r_slope(saved.slope[2 * i + 1]) {}

  template <class Place>
  [[nodiscard]] POLDER_INLINE vec<T> slope(const Place& at, std::size_t first) const {
    return x.slope == nullptr ? vec<T>{} : at.get(x.slope + first);
  }
  template <class Place>
  [[nodiscard]] POLDER_INLINE vec<T> gap(const Place& at, std::size_t first) const {
    return at.get(x.value + first) - mean;
  }
  template <class Place>
  [[nodiscard]] POLDER_INLINE vec<T> gap_slope(const Place& at, std::size_t first) const {
    return slope(at, first) - mean_slope;
  }
};

/// The derivatives of the moments of each group, beside the moments:
///
///   mean' = mean(x'),      r' = -r^3 mean((x - mean) x')
template <class T>
void slopes_of_moments(const channel_groups& groups, std::size_t images, tangent<T> x, const T* saved, T* saved_slope) {
  const std::size_t n = groups.size();
  if (x.slope == nullptr) std::fill_n(saved_slope, 2 * images * groups.groups, T{0});
  for (std::size_t i = 0; x.slope != nullptr && i < images * groups.groups; ++i) {
    const tangent<T> group = advanced(x, i * n);
    const T mean = saved[2 * i], r = saved[2 * i + 1];
    vec<T> sum{}, products{};
    for_vectors<T>(n, [&](auto at) {
      const vec<T> slope = at.get(group.slope);
      sum += slope;
      products += (at.get(group.value) - mean) * slope;
    });
    saved_slope[2 * i] = sum_of_lanes<T>(sum) / static_cast<T>(n);
    saved_slope[2 * i + 1] = -r * r * r * (sum_of_lanes<T>(products) / static_cast<T>(n));
  }
}

/// Adds to a gradient, or replaces it at the first image of a batch.
template <class T>
void accumulate(T& to, T value, bool overwrite) {
  to = overwrite ? value : to + value;
}

}  // namespace polder::nn::detail
