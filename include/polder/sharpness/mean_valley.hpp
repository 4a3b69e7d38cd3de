// polder — mean valley: how far the workers can walk from their mean before the loss has risen.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/comm/communicator.hpp"
#include "polder/core/error.hpp"
#include "polder/sharpness/level_search.hpp"

namespace polder::sharpness {

/// What counts as the boundary of a valley, and how it is looked for.
struct valley_options {
  double kappa = 2.0;  ///< the boundary is where the loss is kappa times that of the mean; > 1
  double rise = 0.0;   ///< if above 0: where the loss is that of the mean plus `rise`, for a mean with a loss near 0
  double tolerance = 1e-3;  ///< of a distance, relative
  double farthest = 1e6;    ///< a valley that reaches so far is open
};

/// One direction from the mean.
struct valley_boundary {
  double distance = 0;    ///< beta: where the loss reaches the level; `farthest` for an open valley
  double radius = 0;      ///< where the model itself lies, r = ||x - x_A||
  bool open = false;      ///< the loss stays below the level as far as was looked
  bool direction = true;  ///< false for a model at the mean: it has no direction and does not count
};

struct valley {
  double center_loss = 0;  ///< L(x_A)
  double level = 0;
  std::vector<valley_boundary> boundaries{};  ///< [workers]
  double mean_valley = 0;                     ///< MV, the mean distance over the models with a direction
  std::size_t open = 0;                       ///< how many are open: MV is then a lower bound
  std::size_t evaluations = 0;                ///< of the loss, on this worker

  /// Inv. MV as the negative: larger is sharper.
  [[nodiscard]] double inverse_mean_valley() const { return -mean_valley; }
  [[nodiscard]] double reciprocal() const { return 1.0 / mean_valley; }
};

namespace detail {

inline void check(const valley_options& o) {
  require<config_error>(o.kappa > 1.0 && std::isfinite(o.kappa), "mean_valley: kappa is ", o.kappa,
                        " but must be a finite number > 1");
  require<config_error>(o.rise >= 0.0 && std::isfinite(o.rise), "mean_valley: rise is ", o.rise,
                        " but must be a finite number >= 0");
  require<config_error>(o.tolerance > 0.0 && o.tolerance < 1.0, "mean_valley: tolerance is ", o.tolerance,
                        " but must be in (0, 1)");
  require<config_error>(o.farthest > 0.0 && std::isfinite(o.farthest), "mean_valley: farthest is ", o.farthest,
                        " but must be a finite number > 0");
}
inline double level_of(double center_loss, const valley_options& o) {
  require<non_finite_error>(std::isfinite(center_loss), "mean_valley: the loss of the mean is ", center_loss);
  if (o.rise > 0.0) return raised(center_loss, o.rise, "mean_valley", "a rise");
  require<config_error>(center_loss > 0.0, "mean_valley: the loss of the mean is ", center_loss,
                        ", of which no multiple is a boundary above it: set `rise` to a rise of the loss instead");
  return o.kappa * center_loss;
}

template <class T>
double radius_of(std::span<const T> x, std::span<const T> center) {
  double squares = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double gap = static_cast<double>(x[i]) - static_cast<double>(center[i]);
    squares += gap * gap;
  }
  return std::sqrt(squares);
}

/// The boundary from `center` toward `x`, in the buffer `point`.
template <class T, class Loss>
valley_boundary boundary_toward(const Loss& loss, std::span<const T> x, std::span<const T> center, double level,
                                const valley_options& o, std::span<T> point, std::size_t& evaluations) {
  const double radius = radius_of(x, center);
  if (radius == 0.0) return {.direction = false};
  const level_distance found = find_level(
      [&](double distance) {
        for (std::size_t i = 0; i < x.size(); ++i) {
          const double gap = static_cast<double>(x[i]) - static_cast<double>(center[i]);
          point[i] = static_cast<T>(static_cast<double>(center[i]) + distance / radius * gap);
        }
        ++evaluations;
        return static_cast<double>(loss(std::span<const T>(point)));
      },
      level, radius, o.tolerance, o.farthest);
  return {.distance = found.distance, .radius = radius, .open = found.open};
}

inline void finish(valley& found) {
  std::size_t counted = 0;
  for (const valley_boundary& b : found.boundaries) {
    if (!b.direction) continue;
    ++counted;
    found.mean_valley += b.distance;
    found.open += b.open ? 1 : 0;
  }
  require<config_error>(counted > 0, "mean_valley: all ", found.boundaries.size(),
                        " models are equal: they span no valley; measure after some steps of their own");
  found.mean_valley /= static_cast<double>(counted);
}

}  // namespace detail

/// Mean Valley of stored models x_1 … x_M around their mean:
///
///     delta_m = (x_m - x_A) / ||x_m - x_A||
///     beta_m  = a distance beta with L(x_A + beta delta_m) = kappa L(x_A)         (or L(x_A) + rise)
///     MV = (1/M) sum_m beta_m,      Inv. MV = -MV
///
/// `loss(std::span<const T>) -> double` is L: the mean loss over the training set, or a fixed part of it, without
/// augmentation; a function of the parameters alone. The distance is looked for from the model's own by doubling or
/// halving, then by bisection: the smallest one where the loss crosses the level once.
///
/// Memory: 2 n numbers. Cost: one evaluation, and for each model one more, one for each doubling or halving of its
/// distance, and log2(1 / tolerance) bisections (10 by default).
/// Errors: config_error for options out of range, models of different sizes, all models equal, or a mean without loss
/// (set `rise`); non_finite_error if the mean's loss is not finite.
/// Source: Dimlioglu, Choromanska, UAI 2026 (the measure's name and idea). Departures: kappa's default and the search
/// are this library's.
template <class T, class Loss>
[[nodiscard]] valley mean_valley(std::span<const std::span<const T>> models, const Loss& loss,
                                 valley_options options = {}) {
  detail::check(options);
  require<config_error>(models.size() >= 2, "mean_valley: ", models.size(), " models span no valley: give at least 2");
  const std::size_t n = models.front().size();
  std::vector<T> center(n), point(n);
  for (std::size_t m = 0; m < models.size(); ++m) {
    require<config_error>(models[m].size() == n, "mean_valley: model ", m, " has ", models[m].size(),
                          " parameters but model 0 has ", n);
  }
  for (std::size_t i = 0; i < n; ++i) {
    double sum = 0.0;
    for (const std::span<const T> x : models) sum += static_cast<double>(x[i]);
    center[i] = static_cast<T>(sum / static_cast<double>(models.size()));
  }
  valley found{.center_loss = static_cast<double>(loss(std::span<const T>(center))), .evaluations = 1};
  found.level = detail::level_of(found.center_loss, options);
  for (const std::span<const T> x : models) {
    found.boundaries.push_back(
        detail::boundary_toward<T>(loss, x, center, found.level, options, point, found.evaluations));
  }
  detail::finish(found);
  return found;
}

/// Mean Valley across live workers: each looks for the boundary in its own direction, all get all of them. A collective:
/// all workers call it together, with the same loss function and options. Sends one reduction, outside the accounting of
/// bytes, and a few numbers.
///
/// Cost on each worker: the reduction, the evaluations of its own model and one, 2 n numbers of memory.
template <tensor_backend B, communicator C, class T, class Loss>
[[nodiscard]] valley mean_valley(const B& backend, C& comm, view<typename B::space, const T> x, const Loss& loss,
                                 valley_options options = {}) {
  static_assert(std::is_same_v<typename B::space, host_space>, "mean_valley evaluates the loss in host memory");
  detail::check(options);
  auto& quiet = uncounted(comm);
  std::vector<T> center(x.size), point(x.size);
  {
    const auto reduced = quiet.all_reduce_mean(backend, x, 0);
    backend.to_host(reduced.mean, std::span<T>(center));
    quiet.release();
  }
  valley found{.center_loss = static_cast<double>(loss(std::span<const T>(center))), .evaluations = 1};
  found.level = detail::level_of(found.center_loss, options);
  const valley_boundary mine =
      detail::boundary_toward<T>(loss, std::span<const T>(x), center, found.level, options, point, found.evaluations);
  found.boundaries.resize(static_cast<std::size_t>(comm.size()));
  quiet.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(found.boundaries)));
  detail::finish(found);
  return found;
}

}  // namespace polder::sharpness
