// polder — what layers on a backend's own memory share: the order of their numbers, biases, and their gradients.
//
// Activations are (channels, images, pixels): the channels of the whole batch lie one behind the other. So each
// convolution and each dense layer is one matrix product for all images, and neighboring threads touch neighboring
// numbers. Parameters have the order of the host's engine: both engines read the same flat vector.
#pragma once

#include <cstddef>
#include <cstdint>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/config.hpp"
#include "polder/core/divider.hpp"
#include "polder/core/error.hpp"

namespace polder::nn::detail::device {

template <class T>
POLDER_HD void accumulate(T& to, double value, bool overwrite) {
  to = static_cast<T>(overwrite ? value : static_cast<double>(to) + value);
}

/// An index of at most 32 bits, as dividers take it.
POLDER_HD constexpr std::uint32_t narrow(std::size_t i) { return static_cast<std::uint32_t>(i); }

/// Throws config_error unless indices below `n` are narrow; returns n.
inline std::size_t narrow_count(std::size_t n) {
  require<config_error>(n <= 0xFFFFFFFF, "device_model: a layer of this network works on ", n,
                        " numbers at a time, more than 2^32 - 1: use a smaller batch");
  return n;
}

/// y[c, j] += bias[c] for rows of `row` numbers
template <class T>
struct add_bias {
  divider row;
  const T* bias;
  T* y;
  POLDER_HD void operator()(std::size_t i) const { y[i] += bias[row.quotient(narrow(i))]; }
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
  divider rows, area;
  std::size_t columns;
  const T* from;
  T* to;

  transpose_channels(std::size_t row_count, std::size_t column_count, const T* source, T* target)
      : rows(row_count), area(row_count * column_count), columns(column_count), from(source), to(target) {}
  POLDER_HD void operator()(std::size_t i) const {
    const std::uint32_t place = area.split(narrow(i)).remainder;
    const auto [column, row] = rows.split(place);
    to[i] = from[i - place + row * columns + column];
  }
};

}  // namespace polder::nn::detail::device
