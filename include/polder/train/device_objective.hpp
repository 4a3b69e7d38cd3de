// polder — a network and images in a backend's own memory, as a worker's objective and as the test set of a run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/view.hpp"
#include "polder/data/loader.hpp"
#include "polder/data/resident.hpp"
#include "polder/nn/device_model.hpp"
#include "polder/objective/late_loss.hpp"
#include "polder/objective/objective.hpp"
#include "polder/train/evaluation.hpp"

namespace polder {

namespace detail {

/// Throws config_error unless the model takes such images and has a score for each of their classes.
template <class Model, class Images>
void require_fitting(const char* who, const Model& model, const Images& images) {
  const data::image_shape& shape = images.shape();
  require<config_error>(nn::shape{shape.channels, shape.height, shape.width} == model.input(), who, ": images of ",
                        shape.channels, " x ", shape.height, " x ", shape.width, " for a model of ",
                        nn::to_string(model.input()), ": build it for these images");
  require<config_error>(images.classes() <= model.classes(), who, ": images of ", images.classes(),
                        " classes for a model of ", model.classes(), ": give its last layer as many units");
}

/// Losses that a model has left in the backend's memory, on their way to the host.
template <late_backend B>
class loss_mail final : public late_losses {
 public:
  static constexpr std::size_t places = 1024;

  explicit loss_mail(const B& backend)
      : loss_(backend.template zeros<double>(1)), arrived_(backend.late_numbers(places)) {}

  /// Where each loss has to be written before `send`: the same place, so that the calls of an evaluation stay the same.
  [[nodiscard]] view<typename B::space, double> place() { return loss_.view(); }
  [[nodiscard]] late_loss send() {
    arrived_.send(sent_ % places, place().as_const());
    return {*this, sent_++};
  }
  [[nodiscard]] std::uint64_t tickets() const override { return sent_; }
  [[nodiscard]] std::uint64_t kept() const override { return places; }
  [[nodiscard]] double wait_for(std::uint64_t ticket) const override {
    require<config_error>(sent_ - ticket <= places, "a late loss is asked for after ", sent_ - ticket,
                          " evaluations, but kept for ", places, ": ask earlier");
    return arrived_.get(ticket % places);
  }

 private:
  buffer_t<B, double> loss_;
  decltype(std::declval<const B&>().late_numbers(places)) arrived_;
  std::uint64_t sent_ = 0;
};

}  // namespace detail

/// What a worker minimizes: the loss of `model` on the minibatches that `loader` names, gathered from images that lie in
/// the memory of the model's backend. The same minibatches, in the same order, with the same changes as the loader's own.
///
/// Per step the numbers of the images cross to the backend's memory, and one loss comes back for each evaluation: late, where
/// the backend has late numbers, else it is the one thing that waits.
template <class T, kernel_backend B, class... Layers>
class device_objective {
 public:
  using space = typename B::space;

  /// The data set must outlive it, and be a copy of the loader's. Errors: config_error if it is not as large, if the
  /// model's most_images is less than the loader's batch, or if its input or classes are not those of the images.
  device_objective(nn::device_model<T, B, Layers...> model, const data::resident_dataset<T, B>& images,
                   data::loader<T> loader)
      : model_(std::move(model)),
        loader_(std::move(loader)),
        batch_(images, model_.backend(), loader_.batch_size()),
        losses_(mail_of(model_.backend())) {
    require<config_error>(loader_.batch_size() <= model_.most_images(), "device_objective: batches of ",
                          loader_.batch_size(), " images for a model with most_images ", model_.most_images(),
                          ": set most_images to the batch");
    detail::require_fitting("device_objective", model_, images);
    require<config_error>(loader_.source().size() == images.size() && loader_.source().shape == images.shape(),
                          "device_objective: the loader names images of a data set of ", loader_.source().size(),
                          ", but ", images.size(), " lie in the backend's memory: upload the loader's own data set");
  }
  device_objective(nn::device_model<T, B, Layers...>, const data::resident_dataset<T, B>&&, data::loader<T>) = delete;

  void select_batch(std::uint64_t step) { batch_.gather(loader_.indices(step), loader_.changes(), loader_.key(step)); }
  void select_probe(std::uint64_t step) { batch_.gather(loader_.probe_indices(step)); }

  [[nodiscard]] const B& backend() const { return model_.backend(); }
  [[nodiscard]] const polder::layout& layout() const { return model_.layout(); }
  /// Returns the loss, a late_loss where the backend has late numbers.
  auto loss_and_gradient(detail::argument<space, const T> x, detail::argument<space, T> g) const {
    require<config_error>(batch_.size() != 0, "device_objective: there is no minibatch yet: call select_batch first");
    if constexpr (late_backend<B>) {
      model_.loss_and_gradient(x, batch_.images(), batch_.labels(), g, losses_->place());
      return losses_->send();
    } else {
      return model_.loss_and_gradient(x, batch_.images(), batch_.labels(), g);
    }
  }

 private:
  static auto mail_of(const B& backend) {
    if constexpr (late_backend<B>) {
      return std::make_unique<detail::loss_mail<B>>(backend);
    } else {
      return nullptr;
    }
  }

  nn::device_model<T, B, Layers...> model_;
  data::loader<T> loader_;
  data::resident_batch<T, B> batch_;
  decltype(mail_of(std::declval<const B&>())) losses_;  // stays where it is when the objective moves
};

/// A test set in the memory of a model's backend, as `fit` wants it; for one worker at a time.
template <class T, kernel_backend B, class... Layers>
class device_test_set {
 public:
  using space = typename B::space;

  /// The data set must outlive it. Errors: config_error if the model's input or classes are not those of the images.
  device_test_set(nn::device_model<T, B, Layers...> model, const data::resident_dataset<T, B>& images)
      : model_(std::move(model)), size_(images.size()), batch_(images, model_.backend(), model_.most_images()) {
    detail::require_fitting("device_test_set", model_, images);
  }
  device_test_set(nn::device_model<T, B, Layers...>, const data::resident_dataset<T, B>&&) = delete;

  [[nodiscard]] const B& backend() const { return model_.backend(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] scores score(detail::argument<space, const T> x, std::span<const std::size_t> samples) const {
    nn::evaluation sum;
    for (std::size_t first = 0; first < samples.size(); first += model_.most_images()) {
      batch_.gather(samples.subspan(first, std::min(model_.most_images(), samples.size() - first)));
      sum += model_.evaluate(x, batch_.images(), batch_.labels());
    }
    return {sum.loss_sum, static_cast<double>(sum.correct), static_cast<double>(sum.images)};
  }

 private:
  nn::device_model<T, B, Layers...> model_;
  std::size_t size_;
  mutable data::resident_batch<T, B> batch_;
};

}  // namespace polder
