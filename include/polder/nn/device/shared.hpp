// polder — what layers on a backend's own memory share: the order of their numbers, biases, and their gradients.
//
// Activations are (channels, images, pixels): the channels of the whole batch lie one behind the other. So each
// convolution and each dense layer is one matrix product for all images, and neighboring threads touch neighboring
// numbers. Parameters have the order of the host's engine: both engines read the same flat vector.
#pragma once

#include <cstddef>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/config.hpp"

namespace polder::nn::detail::device {

template <class T>
POLDER_HD void accumulate(T& to, double value, bool overwrite) {
  to = static_cast<T>(overwrite ? value : static_cast<double>(to) + value);
}

/// y[c, j] += bias[c] for rows of `row` numbers
template <class T>
struct add_bias {
  std::size_t row;
  const T* bias;
  T* y;
  POLDER_HD void operator()(std::size_t i) const { y[i] += bias[i / row]; }
};

/// gradient[c] (+)= sum over j of dy[c, j]
template <class T>
struct sum_rows {
  std::size_t row;
  const T* dy;
  T* gradient;
  bool overwrite;
  template <class Team>
  POLDER_HD void operator()(const Team& team, std::size_t c) const {
    const T* const from = dy + c * row;
    const double sum = team.sum(row, [from](std::size_t j) { return static_cast<double>(from[j]); });
    team.each(1, [&](std::size_t) { accumulate(gradient[c], sum, overwrite); });
  }
};

/// to[c, p, n] = from[c, n, p]: each channel of `rows` x `columns` numbers transposed.
template <class T>
struct transpose_channels {
  std::size_t rows, columns;
  const T* from;
  T* to;
  POLDER_HD void operator()(std::size_t i) const {
    const std::size_t channel = i / (rows * columns), place = i % (rows * columns);
    to[i] = from[channel * rows * columns + place % rows * columns + place / rows];
  }
};

}  // namespace polder::nn::detail::device
