// polder — the loss at random points around a point: what low-pass, local entropy and PAC-Bayes are made of.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/core/random.hpp"
#include "polder/sharpness/filters.hpp"

namespace polder::sharpness::detail {

/// L(x + deviation S z_k) for standard normal z_k. A draw is a function of seed and k alone, so that losses at several
/// deviations are taken along the same directions.
template <class T, class Loss>
class random_points {
 public:
  random_points(const Loss& loss, std::span<const T> x, std::span<const double> scales, std::uint64_t seed,
                const char* what)
      : loss_(loss), x_(x), scales_(scales), seed_(seed), what_(what), point_(x.size()) {
    require_scales(scales, x.size(), what);
  }

  [[nodiscard]] double loss(double deviation, std::size_t draw) {
    random_stream random({.seed = seed_, .purpose = purpose::probe, .step = draw});
    for (std::size_t i = 0; i < x_.size(); ++i) {
      const double move = deviation * scale_of(scales_, i) * random.normal();
      point_[i] = static_cast<T>(static_cast<double>(x_[i]) + move);
    }
    ++evaluations_;
    return static_cast<double>(loss_(std::span<const T>(point_)));
  }
  /// The same. Throws non_finite_error, whose sentence ends with `circumstances`: which value leads there, and what helps.
  template <class... Pieces>
  [[nodiscard]] double finite_loss(double deviation, std::size_t draw, const Pieces&... circumstances) {
    const double found = loss(deviation, draw);
    require<non_finite_error>(std::isfinite(found), what_, ": the loss is ", found, circumstances...);
    return found;
  }
  [[nodiscard]] std::size_t evaluations() const { return evaluations_; }

 private:
  const Loss& loss_;
  std::span<const T> x_;
  std::span<const double> scales_;
  std::uint64_t seed_;
  const char* what_;
  std::vector<T> point_;
  std::size_t evaluations_ = 0;
};

}  // namespace polder::sharpness::detail
