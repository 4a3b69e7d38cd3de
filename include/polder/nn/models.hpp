// polder — ready networks: mlp, lenet5, resnet20, vgg11.
#pragma once

#include <charconv>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/nn/activation.hpp"
#include "polder/nn/avg_pool.hpp"
#include "polder/nn/convolution.hpp"
#include "polder/nn/dense.hpp"
#include "polder/nn/evonorm.hpp"
#include "polder/nn/group_norm.hpp"
#include "polder/nn/initialization.hpp"
#include "polder/nn/max_pool.hpp"
#include "polder/nn/residual.hpp"
#include "polder/nn/sequential.hpp"
#include "polder/nn/shape.hpp"

namespace polder::nn {

/// Dense layers of these widths with ReLU between, and one of `classes` at the end. With 784 inputs, 256 and 128:
/// 235,146 parameters.
[[nodiscard]] inline sequential mlp(const std::vector<std::size_t>& hidden = {256, 128}, std::size_t classes = 10) {
  sequential network;
  for (const std::size_t units : hidden) network.add(dense{.units = units}).add(relu{});
  return network.add(dense{.units = classes, .weights = initial_weights::lecun});
}

/// LeNet-5 with ReLU and max-pooling: 6 maps of 5 x 5 (padding 2), 16 of 5 x 5, 120, 84, classes; 61,706 parameters for
/// 1 x 28 x 28 and 10 classes (LeCun, Bottou, Bengio, Haffner: "Gradient-based learning applied to document
/// recognition", Proc. IEEE 1998, in today's usual form).
///
/// Other inputs: the first convolution is padded by 2 below 32 x 32 and not at all from there on, as in the original;
/// the second is padded by 2 where it would not leave 2 x 2 for the second pooling, as for 8 x 8 digits. The smallest
/// input is 4 x 4.
[[nodiscard]] inline sequential lenet5(shape input = {1, 28, 28}, std::size_t classes = 10) {
  const std::size_t least = input.height < input.width ? input.height : input.width;
  require<config_error>(least >= 4, "lenet5: an input of ", to_string(input),
                        " is too small: at least 4 x 4 is needed");
  const std::size_t first = least < 32 ? 2 : 0;
  const std::size_t pooled = (least + 2 * first - 4) / 2;
  const std::size_t second = pooled >= 6 ? 0 : 2;
  return {conv2d{.channels = 6, .kernel = 5, .padding = first},
          relu{},
          max_pool{},
          conv2d{.channels = 16, .kernel = 5, .padding = second},
          relu{},
          max_pool{},
          dense{.units = 120},
          relu{},
          dense{.units = 84},
          relu{},
          dense{.units = classes, .weights = initial_weights::lecun}};
}

/// The normalization of a residual network or of vgg11.
enum class norm { group_norm, evonorm };

/// ResNet-20 for small images: 3 x 3 convolutions without bias, three stages of three blocks with 16, 32 and 64
/// channels, stride 2 at the second and third stage with a 1 x 1 convolution and a norm as shortcut, global average
/// pooling (He, Zhang, Ren, Sun: "Deep Residual Learning", CVPR 2016; convolutions from N(0, 2 / (k² channels out))).
///
///   group_norm   GroupNorm of 2 groups and ReLU, also after the addition; 272,474 parameters (3 channels, 10 classes)
///   evonorm      EvoNorm-S0 of 8 groups in their place, none after the addition; 273,258 parameters: as many, and 784
///                for the trained v (some published code fixes v = 1 and counts 272,474)
[[nodiscard]] inline sequential resnet20(norm kind = norm::group_norm, std::size_t classes = 10) {
  const auto convolution = [](std::size_t channels, std::size_t kernel, std::size_t stride) {
    return conv2d{.channels = channels,
                  .kernel = kernel,
                  .stride = stride,
                  .padding = kernel / 2,
                  .bias = false,
                  .weights = initial_weights::he_fan_out};
  };
  const auto add_norm = [kind](sequential& to) {
    if (kind == norm::evonorm) {
      to.add(evonorm_s0{.groups = 8});
    } else {
      to.add(group_norm{.groups = 2});
    }
  };
  const auto add_relu = [kind](sequential& to) {
    if (kind == norm::group_norm) to.add(relu{});
  };

  sequential network{convolution(16, 3, 1)};
  add_norm(network);
  add_relu(network);
  for (std::size_t stage = 0; stage < 3; ++stage) {
    const std::size_t channels = std::size_t{16} << stage;
    for (std::size_t block = 0; block < 3; ++block) {
      const bool changes = stage != 0 && block == 0;
      residual next{.body = {convolution(channels, 3, changes ? 2 : 1)}};
      add_norm(next.body);
      add_relu(next.body);
      next.body.add(convolution(channels, 3, 1));
      add_norm(next.body);
      if (changes) {
        next.shortcut.add(convolution(channels, 1, 2));
        add_norm(next.shortcut);
      }
      network.add(next);
      add_relu(network);
    }
  }
  return network.add(avg_pool{}).add(dense{.units = classes, .weights = initial_weights::lecun});
}

namespace detail {

/// The convolutions of VGG-11 with so many channels each: 3 x 3, padding 1; `add_norm` adds what follows each; pooling
/// by 2 behind the first, second, fourth, sixth and eighth, but where 1 pixel is left.
template <class Add>
sequential vgg11_convolutions(const std::size_t (&channels)[8], shape input, const Add& add_norm) {
  sequential network;
  std::size_t least = input.height < input.width ? input.height : input.width;
  for (std::size_t i = 0; i < 8; ++i) {
    network.add(conv2d{.channels = channels[i], .kernel = 3, .padding = 1, .weights = initial_weights::he_fan_out});
    add_norm(network);
    const bool last_of_stage = i < 2 || i % 2 == 1;
    if (!last_of_stage || least < 2) continue;
    network.add(max_pool{});
    least /= 2;
  }
  return network;
}

}  // namespace detail

/// The thin VGG-11 of published code on decentralized learning: 3 x 3 convolutions with bias of 16, 32, 64, 64, 128,
/// 128, 128, 128 channels, each with a norm behind it, max-pooling by 2 behind the first, the second and every other
/// one from there, one dense layer (after configuration A of Simonyan, Zisserman: "Very Deep Convolutional Networks for
/// Large-Scale Image Recognition", ICLR 2015; convolutions from N(0, 2 / (k² channels out))).
///
///   group_norm   GroupNorm of 2 groups and ReLU; 579,786 parameters (3 x 32 x 32, 10 classes), 591,396 (100 classes)
///   evonorm      EvoNorm-S0 of 8 groups in their place: as many, and 688 for the trained v
///
/// A pooling is left out where 1 pixel is left, so that images below 32 x 32 go through as well.
[[nodiscard]] inline sequential vgg11(shape input = {3, 32, 32}, norm kind = norm::group_norm,
                                      std::size_t classes = 10) {
  constexpr std::size_t channels[8] = {16, 32, 64, 64, 128, 128, 128, 128};
  sequential network = detail::vgg11_convolutions(channels, input, [kind](sequential& to) {
    if (kind == norm::evonorm) {
      to.add(evonorm_s0{.groups = 8});
    } else {
      to.add(group_norm{.groups = 2}).add(relu{});
    }
  });
  return network.add(dense{.units = classes, .weights = initial_weights::lecun});
}

/// The wide VGG-11, without norms: 64, 128, 256, 256, 512, 512, 512, 512 channels with ReLU, two dense layers of 512
/// with ReLU, and one of `classes`; 9,750,922 parameters (3 x 32 x 32, 10 classes). Else as vgg11. Departure: published
/// code has dropout of 0.5 before the two hidden dense layers; here there is none, so that the loss of a batch is a
/// pure function.
[[nodiscard]] inline sequential vgg11_wide(shape input = {3, 32, 32}, std::size_t classes = 10) {
  constexpr std::size_t channels[8] = {64, 128, 256, 256, 512, 512, 512, 512};
  sequential network = detail::vgg11_convolutions(channels, input, [](sequential& to) { to.add(relu{}); });
  for (int hidden = 0; hidden < 2; ++hidden) network.add(dense{.units = 512}).add(relu{});
  return network.add(dense{.units = classes, .weights = initial_weights::lecun});
}

/// The network that a user names: "lenet5", "mlp" (256 and 128 hidden units), "mlp:512,256,64", "resnet20" (GroupNorm),
/// "resnet20:group_norm", "resnet20:evonorm", "vgg11" (thin, GroupNorm), "vgg11:group_norm", "vgg11:evonorm",
/// "vgg11:wide".
[[nodiscard]] inline sequential model_from_name(std::string_view name, shape input, std::size_t classes) {
  if (name == "lenet5") return lenet5(input, classes);
  if (name == "mlp") return mlp({256, 128}, classes);
  if (name == "resnet20" || name == "resnet20:group_norm") return resnet20(norm::group_norm, classes);
  if (name == "resnet20:evonorm") return resnet20(norm::evonorm, classes);
  if (name == "vgg11" || name == "vgg11:group_norm") return vgg11(input, norm::group_norm, classes);
  if (name == "vgg11:evonorm") return vgg11(input, norm::evonorm, classes);
  if (name == "vgg11:wide") return vgg11_wide(input, classes);
  if (name.starts_with("mlp:")) {
    std::vector<std::size_t> hidden;
    const char* at = name.data() + 4;
    const char* const end = name.data() + name.size();
    for (bool more = true; more;) {
      std::size_t units = 0;
      const auto [rest, failure] = std::from_chars(at, end, units);
      require<config_error>(failure == std::errc{} && units >= 1 && units <= 1'000'000 && (rest == end || *rest == ','),
                            "model '", name,
                            "': the hidden widths after 'mlp:' are whole numbers from 1 to 1000000 with "
                            "commas between, as in mlp:256,128");
      hidden.push_back(units);
      more = rest != end;
      at = more ? rest + 1 : rest;
    }
    return mlp(hidden, classes);
  }
  fail<config_error>("model '", name,
                     "' is unknown: choose lenet5, mlp, mlp:256,128 (hidden widths), resnet20, "
                     "resnet20:group_norm, resnet20:evonorm, vgg11, vgg11:group_norm, vgg11:evonorm or vgg11:wide");
}

}  // namespace polder::nn
