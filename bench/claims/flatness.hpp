// How flat the loss is around a model: the largest eigenvalue of its Hessian.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/data/batch.hpp"
#include "polder/data/load.hpp"
#include "polder/nn/model.hpp"
#include "polder/nn/models.hpp"
#include "polder/sharpness/curvature.hpp"
#include "polder/sharpness/lanczos.hpp"
#include "polder/train/evaluation.hpp"

namespace polder_claims {

/// The mean loss of a model in double on a fixed part of the training images: without weight decay, and without the
/// workers' shares. An objective; both processors work on it, in parts whose sums are added in one order.
class training_loss {
 public:
  training_loss(const std::string& dataset, const std::string& folder, const std::string& model, std::size_t images)
      : training_loss(polder::data::load_named(dataset, folder).train, model, images) {}

  [[nodiscard]] std::size_t images() const { return labels_.size(); }

  double loss_and_gradient(std::span<const double> x, std::span<double> g) const {
    std::vector<std::vector<double>> gradients(parts, std::vector<double>(g.size()));
    std::vector<double> losses(parts);
    const auto part = [&](std::size_t p) {
      const std::size_t first = images() * p / parts;
      const std::size_t count = images() * (p + 1) / parts - first;
      if (count == 0) return;
      const double share = static_cast<double>(count) / static_cast<double>(images());
      losses[p] =
          share * model_.loss_and_gradient(x, std::span(pixels_).subspan(first * size_, count * size_),
                                           std::span(labels_).subspan(first, count), std::span<double>(gradients[p]));
      for (double& number : gradients[p]) number *= share;
    };
    {
      std::vector<std::jthread> threads;
      const std::size_t many = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, parts);
      for (std::size_t t = 0; t < many; ++t) {
        threads.emplace_back([&, t] {
          for (std::size_t p = t; p < parts; p += many) part(p);
        });
      }
    }
    std::ranges::fill(g, 0.0);
    for (const std::vector<double>& each : gradients) {
      for (std::size_t i = 0; i < g.size(); ++i) g[i] += each[i];
    }
    return std::accumulate(losses.begin(), losses.end(), 0.0);
  }

 private:
  static constexpr std::size_t parts = 8;

  training_loss(const polder::data::dataset& all, const std::string& model, std::size_t images)
      : model_(polder::nn::model_from_name(model, shape_of(all), all.classes), shape_of(all), all.classes),
        size_(all.shape.size()) {
    polder::data::batch_buffer<double> buffer(all, images);
    const auto batch = buffer.gather(polder::detail::spread_samples(all.size(), images));
    pixels_.assign(batch.images.begin(), batch.images.end());
    labels_.assign(batch.labels.begin(), batch.labels.end());
  }
  static polder::nn::shape shape_of(const polder::data::dataset& all) {
    return {all.shape.channels, all.shape.height, all.shape.width};
  }

  polder::nn::model<double, polder::eigen_backend> model_;
  std::size_t size_;
  std::vector<double> pixels_;
  std::vector<std::int32_t> labels_;
};

/// The largest eigenvalue at x to a relative error of 1 %, or what 40 products of the Hessian give.
inline polder::sharpness::eigenvalues_found largest_eigenvalue(const training_loss& f, std::span<const float> x) {
  const std::vector<double> wide(x.begin(), x.end());
  polder::sharpness::difference_hessian<training_loss, double> hessian(f, std::span<const double>(wide));
  return polder::sharpness::largest_eigenvalues(hessian, {.tolerance = 1e-2, .most_steps = 40});
}

}  // namespace polder_claims
