// polder — measures of a classifier's output: Fisher-Rao and Shannon entropy.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/sharpness/curvature.hpp"

namespace polder::sharpness {

/// A classifier on samples that gives its scores (logits) and their derivative along a direction, both (samples,
/// classes): `f.scores_along(x, v, scores, slopes)`, with `f.classes()` and `f.samples()`. A built-in network on a batch
/// is one.
template <class F, class T>
concept has_score_tangents = requires(const F f, std::span<const T> x, std::span<T> out) {
  { f.classes() } -> std::convertible_to<std::size_t>;
  { f.samples() } -> std::convertible_to<std::size_t>;
  f.scores_along(x, x, out, out);
};

namespace detail {

/// Calls `use(sample's first index, p)` with the softmax of each row of scores.
template <class T, class Use>
void for_probabilities(std::span<const T> scores, std::size_t classes, const char* what, const Use& use) {
  require<config_error>(classes > 0 && !scores.empty() && scores.size() % classes == 0, what, ": ", scores.size(),
                        " scores are not rows of ", classes, " classes");
  std::vector<double> p(classes);
  for (std::size_t first = 0; first < scores.size(); first += classes) {
    const std::span<const T> z = scores.subspan(first, classes);
    const double greatest = static_cast<double>(*std::max_element(z.begin(), z.end()));
    double sum = 0.0;
    for (std::size_t c = 0; c < classes; ++c) sum += p[c] = std::exp(static_cast<double>(z[c]) - greatest);
    require<non_finite_error>(std::isfinite(sum), what, ": the scores of sample ", first / classes, " are not finite");
    for (double& probability : p) probability /= sum;
    use(first, p);
  }
}

}  // namespace detail

/// The mean entropy of the predicted distributions, in nats:
///
///     -(1/n) sum_i sum_c p_ic log p_ic,      p_i the softmax of the scores z_i
///
/// From 0 for certain answers to log(classes). No parameter is perturbed, so scaling filters changes nothing.
/// scores: (samples, classes). Errors: config_error for sizes that do not fit, non_finite_error.
template <class T>
[[nodiscard]] double shannon_entropy(std::span<const T> scores, std::size_t classes) {
  double sum = 0.0;
  detail::for_probabilities(scores, classes, "shannon_entropy", [&](std::size_t, const std::vector<double>& p) {
    for (const double probability : p) sum -= probability > 0.0 ? probability * std::log(probability) : 0.0;
  });
  return sum / static_cast<double>(scores.size() / classes);
}

/// x^T F x with the true Fisher information F, the labels drawn from the model itself:
///
///     F = (1/n) sum_i sum_c p_ic d_ic d_ic^T,      d_ic the gradient of log p_ic
///     x^T F x = (1/n) sum_i variance over c ~ p_i of z'_ic,      z' = dz/dx x
///
/// exact, from one derivative of the scores along x itself. Never negative. It is the same however filters are scaled.
/// The Fisher-Rao norm is its square root.
///
/// Memory: 2 x samples x classes numbers. Cost: about the forward pass and twice that. Errors: non_finite_error.
/// Source: Liang, Poggio, Rakhlin, Stokes, "Fisher-Rao Metric, Geometry, and Complexity of Neural Networks", AISTATS
/// 2019. Departures: no factor for the number of layers.
template <class T, class F>
[[nodiscard]] double fisher_rao(const F& f, std::span<const T> x) {
  static_assert(has_score_tangents<F, T>,
                "fisher_rao needs a classifier with `scores_along(x, v, scores, slopes)`, `classes()` and `samples()`: "
                "a built-in network on a batch, or use hessian_form for any objective");
  std::vector<T> scores(f.samples() * f.classes()), slopes(scores.size());
  f.scores_along(x, x, std::span<T>(scores), std::span<T>(slopes));
  double sum = 0.0;
  detail::for_probabilities(std::span<const T>(scores), f.classes(), "fisher_rao",
                            [&](std::size_t first, const std::vector<double>& p) {
                              double mean = 0.0;
                              for (std::size_t c = 0; c < p.size(); ++c)
                                mean += p[c] * static_cast<double>(slopes[first + c]);
                              for (std::size_t c = 0; c < p.size(); ++c) {
                                const double gap = static_cast<double>(slopes[first + c]) - mean;
                                sum += p[c] * gap * gap;
                              }
                            });
  require<non_finite_error>(std::isfinite(sum), "fisher_rao: the derivative of the scores is not finite");
  return sum / static_cast<double>(f.samples());
}

/// x^T H x: what some published code computes under the name Fisher-Rao. It equals x^T F x only where the part of H that
/// comes from the curvature of the scores vanishes, and may be negative.
///
/// Cost: one product. Errors: config_error for sizes that do not fit.
template <symmetric_operator H, class T>
[[nodiscard]] double hessian_form(H& h, std::span<const T> x) {
  const std::vector<double> v(x.begin(), x.end());
  std::vector<double> hv(v.size());
  h.multiply(v, hv);
  return detail::dot(v, hv);
}

}  // namespace polder::sharpness
