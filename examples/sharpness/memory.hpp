// What may be kept in memory: --memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

#include "polder/sharpness/lanczos.hpp"
#include "sharpness/options.hpp"

namespace polder_sharpness {

constexpr double gibibyte = 1024.0 * 1024.0 * 1024.0;

/// Vectors of doubles, each as long as the parameters, that a measure keeps side by side.
struct kept_directions {
  std::string_view measure{};
  std::size_t count = 0;

  [[nodiscard]] double bytes(std::size_t parameters) const {
    return static_cast<double>(count) * static_cast<double>(parameters) * sizeof(double);
  }
};

/// What is kept by the measure that keeps most: Lanczos' method a vector for each product, Hutch++ for a third of them.
/// There are no more directions than parameters.
[[nodiscard]] inline kept_directions most_directions(const options& o, std::size_t parameters) {
  kept_directions most;
  const auto consider = [&](bool wanted, std::string_view measure, std::size_t count) {
    count = std::min(count, parameters);
    if (wanted && count > most.count) most = {measure, count};
  };
  consider(o.wants("eigenvalues"), "eigenvalues", o.products);
  consider(o.wants("hutch_plus_plus"), "hutch_plus_plus", o.products / 3);
  consider(!o.spectrum.empty(), "--spectrum", polder::sharpness::spectrum_options{}.steps);
  return most;
}

/// How many blocks of samples, from the first, fit into `room` bytes if each keeps `per_sample` floats for a sample, and
/// the parameters, a direction and a product.
[[nodiscard]] inline std::size_t kept_blocks(std::span<const std::size_t> samples, std::size_t per_sample,
                                             std::size_t parameters, double room) {
  double used = 0.0;
  std::size_t blocks = 0;
  for (const std::size_t size : samples) {
    used += (static_cast<double>(per_sample) * static_cast<double>(size) + 3.0 * static_cast<double>(parameters)) *
            sizeof(float);
    if (used > room) break;
    ++blocks;
  }
  return blocks;
}

}  // namespace polder_sharpness
