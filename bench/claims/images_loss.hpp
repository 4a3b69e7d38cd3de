// The mean loss of a network on fixed images: what the measures of sharpness are taken of.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <numeric>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/data/batch.hpp"
#include "polder/data/dataset.hpp"
#include "polder/nn/evaluation.hpp"
#include "polder/nn/kept_hessian.hpp"
#include "polder/nn/model.hpp"

namespace polder_claims {

using network = polder::nn::model<float, polder::eigen_backend>;

/// An objective, and a function of the parameters. The images are worked off in parts, as many at a time as there are
/// processors; sums are added in the order of the parts, so the bits do not depend on the processors.
class images_loss {
 public:
  images_loss(network model, const polder::data::dataset& all, std::span<const std::size_t> which)
      : model_(std::move(model)), size_(all.shape.size()) {
    polder::data::batch_buffer<float> buffer(all, which.size());
    const auto batch = buffer.gather(which);
    pixels_.assign(batch.images.begin(), batch.images.end());
    labels_.assign(batch.labels.begin(), batch.labels.end());
  }

  [[nodiscard]] std::size_t images() const { return labels_.size(); }
  [[nodiscard]] const polder::layout& layout() const { return model_.layout(); }
  [[nodiscard]] const network& model() const { return model_; }
  /// The network on all images at once.
  [[nodiscard]] auto whole() const {
    return model_.on(std::span<const float>(pixels_), std::span<const std::int32_t>(labels_));
  }

  [[nodiscard]] polder::nn::evaluation evaluate(std::span<const float> x) const {
    std::vector<polder::nn::evaluation> found(parts);
    for_parts([&](std::size_t p, auto images, auto labels) { found[p] = model_.evaluate(x, images, labels); });
    polder::nn::evaluation sum;
    for (const polder::nn::evaluation& each : found) sum += each;
    return sum;
  }
  double operator()(std::span<const float> x) const { return evaluate(x).loss(); }

  double loss_and_gradient(std::span<const float> x, std::span<float> g) const {
    std::vector<std::vector<float>> gradients(parts, std::vector<float>(g.size()));
    std::vector<double> losses(parts);
    for_parts([&](std::size_t p, auto images, auto labels) {
      losses[p] = share(p) * model_.loss_and_gradient(x, images, labels, std::span<float>(gradients[p]));
    });
    for (std::size_t i = 0; i < g.size(); ++i) {
      double sum = 0.0;
      for (std::size_t p = 0; p < parts; ++p) sum += share(p) * static_cast<double>(gradients[p][i]);
      g[i] = static_cast<float>(sum);
    }
    return std::accumulate(losses.begin(), losses.end(), 0.0);
  }

  /// The Hessian at a point for many products, exact up to the rounding of float.
  class hessian {
   public:
    hessian(const images_loss& f, std::span<const float> x) : f_(f), kept_(parts), products_(parts), size_(x.size()) {
      f.for_parts([&](std::size_t p, auto images, auto labels) {
        kept_[p] = std::make_unique<kept>(f.model_.kept_hessian(x, images, labels));
        products_[p].resize(size_);
      });
    }
    [[nodiscard]] std::size_t size() const { return size_; }
    void multiply(std::span<const double> v, std::span<double> hv) {
      f_.for_parts([&](std::size_t p, auto, auto) { kept_[p]->multiply(v, products_[p]); });
      std::ranges::fill(hv, 0.0);
      for (std::size_t p = 0; p < parts; ++p) {
        if (kept_[p] == nullptr) continue;
        for (std::size_t i = 0; i < hv.size(); ++i) hv[i] += f_.share(p) * products_[p][i];
      }
    }

   private:
    using kept = polder::nn::kept_hessian<float, polder::eigen_backend>;
    const images_loss& f_;
    std::vector<std::unique_ptr<kept>> kept_;
    std::vector<std::vector<double>> products_;
    std::size_t size_;
  };
  [[nodiscard]] hessian hessian_at(std::span<const float> x) const { return hessian(*this, x); }

 private:
  static constexpr std::size_t parts = 4;

  [[nodiscard]] std::size_t first(std::size_t p) const { return images() * p / parts; }
  /// Of all images, how many are in a part.
  [[nodiscard]] double share(std::size_t p) const {
    return static_cast<double>(first(p + 1) - first(p)) / static_cast<double>(images());
  }
  /// Calls use(part, its images, its labels) for the parts that have any.
  template <class Use>
  void for_parts(const Use& use) const {
    const std::size_t many = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, parts);
    const auto work = [&](std::size_t p) {
      const std::size_t count = first(p + 1) - first(p);
      if (count == 0) return;
      use(p, std::span<const float>(pixels_).subspan(first(p) * size_, count * size_),
          std::span<const std::int32_t>(labels_).subspan(first(p), count));
    };
    std::vector<std::exception_ptr> failures(many);
    {
      std::vector<std::jthread> threads;
      for (std::size_t t = 0; t < many; ++t) {
        threads.emplace_back([&, t] {
          try {
            for (std::size_t p = t; p < parts; p += many) work(p);
          } catch (...) {
            failures[t] = std::current_exception();
          }
        });
      }
    }
    for (const std::exception_ptr& failure : failures) {
      if (failure != nullptr) std::rethrow_exception(failure);
    }
  }

  network model_;
  std::size_t size_;
  std::vector<float> pixels_;
  std::vector<std::int32_t> labels_;
};

}  // namespace polder_claims
