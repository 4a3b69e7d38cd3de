// polder — a network in a backend's own memory: the engine of devices.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/nn/classifier.hpp"
#include "polder/nn/device/binding.hpp"
#include "polder/nn/device/loss.hpp"
#include "polder/nn/device/replay.hpp"
#include "polder/nn/evaluation.hpp"
#include "polder/nn/initialization.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/sequential.hpp"
#include "polder/nn/shape.hpp"

namespace polder::nn {

/// What a device_model takes besides its network.
struct device_model_options {
  std::size_t most_images = 32;  ///< of a call: the memory that a model holds grows with it
  double label_smoothing = 0;    ///< epsilon in [0, 1), of the training loss only
  /// Launch an evaluation's calls together once they are known (CUDA graphs), where the backend can. Each place that the
  /// parameters or the gradient are seen in costs a graph. The first 32 are kept, for good: what comes later is launched
  /// call by call.
  bool replay = false;
};

/// The classifier of nn::model, computed where the backend's memory is: on a GPU with cublas_backend, and with the same
/// source on every backend of the host. It has the layout, the initial values and, up to rounding, the losses and
/// gradients of nn::model for the same network.
///
/// Parameters are a flat vector in the backend's memory. Images are (channels, images, height, width): channel first, then
/// image, so that each layer is one matrix product for the whole batch. Labels are std::int32_t, below classes(); one
/// that is not makes the loss not-a-number.
///
/// A model holds its workspace and belongs to one worker, and its backend must be a copy of that worker's: on a device,
/// copies share a stream, and calls on different streams do not wait for each other. Nothing is allocated after
/// construction, except by the backend's matrix product. Its calls are queued like all calls of the backend; only those
/// that return numbers wait for them.
///
/// Cost: about three times the operations of the forward pass. The columns of a convolution, kernel² times its input, are
/// written and read three times: forward, and for each of the two gradients. Launches: a few for each layer.
/// Layers of a user's own: a function bind_on<T>(backend, description, binder, shape) beside the description, found by
/// its arguments, and the description's type among `Layers`.
/// Errors: config_error for shapes that do not fit and layers without such a function.
template <class T, kernel_backend B, class... Layers>
class device_model {
  static_assert(std::is_floating_point_v<T>, "polder::nn computes in float or double");

 public:
  using space = typename B::space;

  device_model(const sequential& network, shape input, std::size_t classes, B backend = {},
               device_model_options options = {})
      : backend_(std::move(backend)),
        input_(input),
        classes_(classes),
        options_(options),
        network_((check(network), detail::device::usual_binding<T, B, Layers...>(backend_)(network, names_, input))),
        numbers_(backend_.template zeros<T>(options.most_images * (network_->saved() + 2 * detail::padded(classes)) +
                                            network_->scratch(options.most_images))),
        results_(backend_.template zeros<double>(2 * options.most_images + 3)) {}

  [[nodiscard]] shape input() const { return input_; }
  [[nodiscard]] std::size_t classes() const { return classes_; }
  [[nodiscard]] const polder::layout& layout() const { return names_.layout(); }
  /// Of the flat parameter vector.
  [[nodiscard]] std::size_t size() const { return layout().size(); }
  /// Bytes of the workspace.
  [[nodiscard]] std::size_t workspace_bytes() const {
    return numbers_.size() * sizeof(T) + results_.size() * sizeof(double);
  }
  /// Of a call.
  [[nodiscard]] std::size_t most_images() const { return options_.most_images; }
  [[nodiscard]] const B& backend() const { return backend_; }

  /// The first parameters, on the host: those of nn::model.
  void initialize(std::span<T> x, std::uint64_t seed) const {
    check_parameters(x.size());
    draw_initial_values(names_, x, seed);
  }

  /// The mean loss over the batch to *loss in the backend's memory, and its gradient into g. Waits for nothing.
  void loss_and_gradient(view<space, const T> x, view<space, const T> images, view<space, const std::int32_t> labels,
                         view<space, T> g, view<space, double> loss) const {
    check_parameters(g.size);
    require<config_error>(loss.size == 1, "loss_and_gradient: the loss is one number, not ", loss.size,
                          ": give a view of one double");
    const std::size_t count = count_of(x, images, labels);
    const auto calls = [&] { evaluate_gradient(count, x, images, labels, g, loss); };
    if constexpr (replaying_backend<B>) {
      if (options_.replay) {
        replays_.run(backend_, {{x.data, images.data, labels.data, g.data, loss.data}, count}, calls);
        return;
      }
    }
    calls();
  }
  /// The same; returns the loss.
  double loss_and_gradient(view<space, const T> x, view<space, const T> images, view<space, const std::int32_t> labels,
                           view<space, T> g) const {
    const auto loss = results_.view().part(2 * options_.most_images, 1);
    loss_and_gradient(x, images, labels, g, loss);
    double value = 0;
    backend_.to_host(loss.as_const(), std::span<double>(&value, 1));
    return value;
  }

  /// Sums of cross-entropy (without label smoothing) and of correct answers.
  [[nodiscard]] evaluation evaluate(view<space, const T> x, view<space, const T> images,
                                    view<space, const std::int32_t> labels) const {
    const std::size_t count = count_of(x, images, labels);
    const workspace at = workspace_of(count);
    (void)forward(x, images, at);
    backend_.each(count, detail::device::cross_entropy<T>{classes_, count, 0.0, 1.0, at.z, labels.data, nullptr,
                                                          at.losses, at.correct});
    const auto sums = results_.view().part(2 * options_.most_images + 1, 2);
    backend_.teams(1, detail::device::scaled_sum{count, 1.0, at.losses, sums.data});
    backend_.teams(1, detail::device::scaled_sum{count, 1.0, at.correct, sums.data + 1});
    std::array<double, 2> found{};
    backend_.to_host(sums.as_const(), std::span<double>(found));
    return {.loss_sum = found[0], .correct = static_cast<std::size_t>(found[1]), .images = count};
  }

  /// The scores of each class, (classes, images).
  void logits(view<space, const T> x, view<space, const T> images, view<space, T> scores) const {
    const std::size_t count = count_of(x, images);
    require<config_error>(scores.size == count * classes_, "logits: ", count, " images give ", count * classes_,
                          " scores, not ", scores.size);
    const workspace at = workspace_of(count);
    (void)forward(x, images, at);
    backend_.copy(view<space, const T>(at.z, scores.size), scores);
  }

 private:
  /// The places of one call in the workspace.
  struct workspace {
    std::size_t images;
    T *z, *dz, *saved, *scratch;
    double *losses, *correct;
  };
  [[nodiscard]] workspace workspace_of(std::size_t images) const {
    T* const z = numbers_.view().data;
    T* const dz = z + images * detail::padded(classes_);
    T* const saved = dz + images * detail::padded(classes_);
    double* const losses = results_.view().data;
    return {images, z, dz, saved, saved + images * network_->saved(), losses, losses + options_.most_images};
  }
  pass<T> forward(view<space, const T> x, view<space, const T> images, const workspace& at) const {
    pass<T> p{.images = at.images, .parameters = x.data};
    p.scratch = at.scratch;
    network_->forward(p, images.data, at.z, at.saved);
    return p;
  }

  void evaluate_gradient(std::size_t count, view<space, const T> x, view<space, const T> images,
                         view<space, const std::int32_t> labels, view<space, T> g, view<space, double> loss) const {
    const double scale = 1.0 / static_cast<double>(count);
    const workspace at = workspace_of(count);
    pass<T> p = forward(x, images, at);
    backend_.each(count, detail::device::cross_entropy<T>{classes_, count, options_.label_smoothing, scale, at.z,
                                                          labels.data, at.dz, at.losses, nullptr});
    p.gradient = g.data;
    network_->backward(p, images.data, at.z, at.dz, nullptr, at.saved);
    backend_.teams(1, detail::device::scaled_sum{count, scale, at.losses, loss.data});
  }

  void check(const sequential& network) const {
    detail::check_classifier("device_model", network, input_, classes_, options_.label_smoothing);
    require<config_error>(options_.most_images >= 1, "device_model: most_images 0 must be at least 1");
    require<config_error>(options_.most_images <= 1'000'000, "device_model: most_images ", options_.most_images,
                          " must be at most 1000000: it is the largest batch of one call");
  }
  void check_parameters(std::size_t count) const { detail::check_parameters("device_model", count, size()); }
  [[nodiscard]] std::size_t count_of(view<space, const T> x, view<space, const T> images) const {
    check_parameters(x.size);
    const std::size_t count = detail::images_in("device_model", images.size, input_);
    require<config_error>(count <= options_.most_images, "device_model: a batch of ", count,
                          " images, but most_images is ", options_.most_images, ": set it to the largest batch");
    return count;
  }
  [[nodiscard]] std::size_t count_of(view<space, const T> x, view<space, const T> images,
                                     view<space, const std::int32_t> labels) const {
    const std::size_t count = count_of(x, images);
    require<config_error>(labels.size == count, "device_model: ", labels.size, " labels for ", count, " images");
    return count;
  }

  B backend_;
  shape input_;
  std::size_t classes_;
  device_model_options options_;
  binder names_;
  std::unique_ptr<operation<T>> network_;
  mutable buffer_t<B, T> numbers_;       // scores, their gradient, the network's state, scratch
  mutable buffer_t<B, double> results_;  // losses and hits of the images; the loss; the sums of an evaluation
  mutable detail::device::replays<B> replays_;
};

}  // namespace polder::nn
