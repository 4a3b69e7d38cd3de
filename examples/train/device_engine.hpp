// The engine of the backends that bring the images into memory of their own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "polder/data/loader.hpp"
#include "polder/data/resident.hpp"
#include "polder/nn/device_model.hpp"
#include "polder/train/device_objective.hpp"
#include "train/engine.hpp"

namespace polder_train {

/// nn::device_model on one worker's minibatches.
template <class Backend>
class device_loss final : public worker_loss<typename Backend::space> {
 public:
  using space = typename Backend::space;

  device_loss(polder::nn::device_model<float, Backend> model,
              const polder::data::resident_dataset<float, Backend>& images, polder::data::loader<float> loader)
      : objective_(std::move(model), images, std::move(loader)) {}

  void select_batch(std::uint64_t step) override { objective_.select_batch(step); }
  void select_probe(std::uint64_t step) override { objective_.select_probe(step); }
  typename worker_loss<space>::loss loss_and_gradient(polder::view<space, const float> x,
                                                      polder::view<space, float> g) const override {
    return objective_.loss_and_gradient(x, g);
  }
  [[nodiscard]] polder::layout layout() const override { return objective_.layout(); }

 private:
  polder::device_objective<float, Backend> objective_;
};

template <class Backend>
class device_tests final : public worker_tests<typename Backend::space> {
 public:
  using space = typename Backend::space;

  device_tests(polder::nn::device_model<float, Backend> model,
               const polder::data::resident_dataset<float, Backend>& images)
      : tests_(std::move(model), images) {}

  [[nodiscard]] std::size_t size() const override { return tests_.size(); }
  [[nodiscard]] polder::scores score(polder::view<space, const float> x,
                                     std::span<const std::size_t> samples) const override {
    return tests_.score(x, samples);
  }

 private:
  polder::device_test_set<float, Backend> tests_;
};

/// The images once for all workers; a model, with its workspace, for each loss and each test set.
template <class Backend>
class device_engine final : public engine<Backend> {
 public:
  using space = typename Backend::space;

  device_engine(const problem& p, const Backend& backend, bool replay)
      : problem_(p), replay_(replay), train_(p.images().train, backend), test_(p.images().test, backend) {}

  [[nodiscard]] std::unique_ptr<worker_loss<space>> loss_of(int worker, const Backend& backend) const override {
    return std::make_unique<device_loss<Backend>>(model(backend, problem_.batch()), train_, problem_.loader_of(worker));
  }
  [[nodiscard]] std::unique_ptr<worker_tests<space>> tests_on(const Backend& backend) const override {
    // No more than the training takes anyway, so that many workers of a large network have the memory.
    const std::size_t images = std::min(test_.size(), std::max<std::size_t>(problem_.batch(), 32));
    return std::make_unique<device_tests<Backend>>(model(backend, images), test_);
  }

 private:
  [[nodiscard]] polder::nn::device_model<float, Backend> model(const Backend& backend, std::size_t most_images) const {
    return {problem_.network(),
            problem_.input(),
            problem_.classes(),
            backend,
            {.most_images = most_images, .label_smoothing = problem_.label_smoothing(), .replay = replay_}};
  }

  const problem& problem_;
  bool replay_;
  polder::data::resident_dataset<float, Backend> train_, test_;
};

template <class Backend>
std::unique_ptr<engine<Backend>> make_device_engine(const problem& p, const Backend& backend, bool replay) {
  return std::make_unique<device_engine<Backend>>(p, backend, replay);
}

}  // namespace polder_train
