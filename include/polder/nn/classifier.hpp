// polder — what fits a classifier: the checks of both engines.
#pragma once

#include <cstddef>
#include <string_view>

#include "polder/core/error.hpp"
#include "polder/nn/sequential.hpp"
#include "polder/nn/shape.hpp"

namespace polder::nn::detail {

/// Throws config_error, in the name of `who`, unless the network gives a score for each class and the smoothing is one.
inline void check_classifier(std::string_view who, const sequential& network, shape input, std::size_t classes,
                             double label_smoothing) {
  require<config_error>(input.size() != 0, who, ": an input of ", to_string(input), " has no numbers");
  require<config_error>(label_smoothing >= 0 && label_smoothing < 1, who, ": label_smoothing ", label_smoothing,
                        " must be at least 0 and below 1");
  const shape output = network.output(input);
  require<config_error>(output == shape{classes, 1, 1}, who, ": the network gives ", to_string(output),
                        " for an input of ", to_string(input), ", not one score for each of ", classes,
                        " classes: end it with dense{.units = ", classes, "}");
}

inline void check_parameters(std::string_view who, std::size_t given, std::size_t size) {
  require<config_error>(given == size, who, ": a vector of ", given, " numbers was given where the model has ", size,
                        " parameters");
}

/// How many images so many numbers are.
[[nodiscard]] inline std::size_t images_in(std::string_view who, std::size_t numbers, shape input) {
  require<config_error>(numbers != 0 && numbers % input.size() == 0, who, ": ", numbers,
                        " numbers are not a batch of images of ", to_string(input), " = ", input.size(),
                        " numbers each");
  return numbers / input.size();
}

}  // namespace polder::nn::detail
