// The engine of devices against that of the host: the same network, parameters and images on both.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polder/backend/reference.hpp"
#include "polder/core/random.hpp"
#include "polder/nn/nn.hpp"
#include "support/catch.hpp"

// Named: nvcc launches kernels of what is in here.
namespace device_engine {

namespace nn = polder::nn;

/// (images, channels, pixels) with the channels first.
template <class T>
std::vector<T> channels_first(const std::vector<T>& from, nn::shape in) {
  std::vector<T> to(from.size());
  const std::size_t images = from.size() / in.size(), pixels = in.pixels();
  for (std::size_t n = 0; n < images; ++n) {
    for (std::size_t c = 0; c < in.channels; ++c) {
      for (std::size_t p = 0; p < pixels; ++p) {
        to[(c * images + n) * pixels + p] = from[(n * in.channels + c) * pixels + p];
      }
    }
  }
  return to;
}

/// A vector in a backend's memory.
template <class T, class B>
polder::buffer_t<B, T> moved(const B& backend, const std::vector<T>& from) {
  auto to = backend.template zeros<T>(from.size());
  backend.from_host(std::span<const T>(from), to.view());
  return to;
}
template <class T, class B, class Buffer>
std::vector<T> fetched(const B& backend, Buffer& from) {
  std::vector<T> to(from.size());
  backend.to_host(from.view().as_const(), std::span<T>(to));
  return to;
}

/// || a - b || / || b ||
template <class T>
double distance(const std::vector<T>& a, const std::vector<T>& b) {
  double gaps = 0, squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double gap = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    gaps += gap * gap;
    squares += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return std::sqrt(gaps / squares);
}

/// The tolerance of losses and gradients of whole models.
template <class T>
constexpr double tolerance = sizeof(T) == 4 ? 1e-4 : 1e-10;

/// Losses, gradients, scores and hits of `network` on backend `device` and on the host's engine.
template <class T, class B>
void compare(const B& device, const nn::sequential& network, nn::shape in, std::size_t images, std::size_t classes = 10,
             double smoothing = 0.1) {
  const nn::model<T, polder::reference_backend> host(network, in, classes, {}, {.label_smoothing = smoothing});
  const nn::device_model<T, B> model(network, in, classes, device,
                                     {.most_images = images + 1, .label_smoothing = smoothing});
  REQUIRE(model.size() == host.size());
  REQUIRE(model.layout().tensors().size() == host.layout().tensors().size());
  for (std::size_t t = 0; t < host.layout().tensors().size(); ++t) {
    REQUIRE(model.layout().tensors()[t].name == host.layout().tensors()[t].name);
    REQUIRE(model.layout().tensors()[t].shape == host.layout().tensors()[t].shape);
  }
  polder::random_stream random({.seed = 31});
  std::vector<T> x(host.size()), same(host.size()), pixels(images * in.size());
  host.initialize(x, 5);
  model.initialize(same, 5);
  REQUIRE(same == x);
  for (T& value : x) value += static_cast<T>(0.02 * random.normal());  // biases and norms away from where they begin
  for (T& value : pixels) value = static_cast<T>(random.normal());
  std::vector<std::int32_t> labels(images);
  for (std::int32_t& label : labels) label = static_cast<std::int32_t>(random.below(classes));

  std::vector<T> expected(host.size()), scores(images * classes);
  const double expected_loss = host.loss_and_gradient(std::span<const T>(x), std::span<const T>(pixels),
                                                      std::span<const std::int32_t>(labels), std::span<T>(expected));
  host.logits(x, pixels, scores);
  const nn::evaluation counted =
      host.evaluate(std::span<const T>(x), std::span<const T>(pixels), std::span<const std::int32_t>(labels));

  auto at = moved(device, x), shown = moved(device, channels_first(pixels, in));
  auto known = moved(device, labels);
  auto g = moved(device, std::vector<T>(host.size(), static_cast<T>(NAN)));
  auto z = moved(device, scores);
  const double loss =
      model.loss_and_gradient(at.view().as_const(), shown.view().as_const(), known.view().as_const(), g.view());
  CHECK(std::abs(loss - expected_loss) < tolerance<T> * expected_loss);
  const std::vector<T> found = fetched<T>(device, g);
  CHECK(distance(found, expected) < tolerance<T>);
  for (const auto& tensor : host.layout().tensors()) {
    INFO(tensor.name);
    const auto part = [&](const std::vector<T>& all) {
      const auto first = all.begin() + static_cast<std::ptrdiff_t>(tensor.offset);
      return std::vector<T>(first, first + static_cast<std::ptrdiff_t>(tensor.size()));
    };
    CHECK(distance(part(found), part(expected)) < tolerance<T>);
  }

  model.logits(at.view().as_const(), shown.view().as_const(), z.view());
  const std::vector<T> by_class = fetched<T>(device, z);
  std::vector<T> by_image(by_class.size());
  for (std::size_t n = 0; n < images; ++n) {
    for (std::size_t k = 0; k < classes; ++k) by_image[n * classes + k] = by_class[k * images + n];
  }
  CHECK(distance(by_image, scores) < tolerance<T>);
  const nn::evaluation hits = model.evaluate(at.view().as_const(), shown.view().as_const(), known.view().as_const());
  CHECK(hits.correct == counted.correct);
  CHECK(hits.images == images);
  CHECK(std::abs(hits.loss_sum - counted.loss_sum) < tolerance<T> * counted.loss_sum);

  auto again = moved(device, std::vector<T>(host.size()));
  (void)model.loss_and_gradient(at.view().as_const(), shown.view().as_const(), known.view().as_const(), again.view());
  CHECK(fetched<T>(device, again) == found);  // equal input, equal bits
}

/// Every kind of layer with the options that change its work.
template <class T, class B>
void compare_layers(const B& device) {
  const nn::dense end{.units = 3};
  const auto layers = [&](const nn::sequential& network, nn::shape in, std::size_t images = 5) {
    nn::sequential whole = network;
    compare<T>(device, whole.add(end), in, images, 3);
  };
  layers({nn::dense{.units = 7, .bias = false}, nn::relu{}, nn::dense{.units = 4}}, {2, 3, 4});
  layers({nn::flatten{}, nn::dense{.units = 6}}, {3, 2, 5});
  layers({nn::conv2d{.channels = 5, .kernel = 3}}, {2, 6, 7});
  layers({nn::conv2d{.channels = 5, .kernel = 3, .padding = 1, .bias = false}, nn::relu{},
          nn::conv2d{.channels = 4, .kernel = 5, .stride = 2, .padding = 2}},
         {3, 9, 8});
  layers({nn::conv2d{.channels = 4, .kernel = 2, .stride = 3, .padding = 1}, nn::conv2d{.channels = 6, .kernel = 1},
          nn::conv2d{.channels = 2, .kernel = 1, .stride = 2}},
         {2, 11, 10});
  layers({nn::conv2d{.channels = 3, .padding = 1}, nn::max_pool{}}, {2, 6, 9});
  layers({nn::conv2d{.channels = 3, .padding = 1}, nn::max_pool{.size = 3, .stride = 2}}, {2, 9, 8});
  layers({nn::conv2d{.channels = 3, .padding = 1}, nn::avg_pool{.size = 2, .stride = 3}}, {2, 9, 8});
  layers({nn::conv2d{.channels = 3, .padding = 1}, nn::avg_pool{.size = 3, .stride = 1}, nn::avg_pool{}}, {2, 9, 8});
  layers({nn::conv2d{.channels = 6}, nn::group_norm{.groups = 3}, nn::relu{}}, {2, 6, 5});
  layers({nn::conv2d{.channels = 6}, nn::group_norm{.groups = 2, .affine = false}}, {2, 6, 5});
  layers({nn::conv2d{.channels = 6}, nn::evonorm_s0{.groups = 2}}, {2, 6, 5});
  const nn::conv2d same{.channels = 3, .kernel = 3, .padding = 1};
  layers({same, nn::residual{.body = {same, nn::group_norm{.groups = 1}}}, nn::relu{},
          nn::residual{.body = {nn::conv2d{.channels = 4, .stride = 2, .padding = 1}, nn::relu{}},
                       .shortcut = {nn::conv2d{.channels = 4, .kernel = 1, .stride = 2}, nn::relu{}}}},
         {3, 6, 7});
}

/// The ready networks on images of the sizes that they are made for.
template <class T, class B>
void compare_models(const B& device) {
  compare<T>(device, nn::mlp({32, 16}), {1, 8, 8}, 33);
  compare<T>(device, nn::lenet5(), {1, 28, 28}, 8);
  compare<T>(device, nn::vgg11({3, 32, 32}), {3, 32, 32}, 2);
  compare<T>(device, nn::vgg11({3, 32, 32}, nn::norm::evonorm), {3, 32, 32}, 2);
  compare<T>(device, nn::resnet20(), {3, 32, 32}, 2);
  compare<T>(device, nn::resnet20(nn::norm::evonorm), {3, 32, 32}, 2);
}

}  // namespace device_engine
