// polder — orthonormal columns of a small number of vectors, by modified Gram-Schmidt.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace polder::detail {

/// The dot product of columns a and b of a row-major [rows, columns] matrix, in double.
template <class T>
[[nodiscard]] double dot_of_columns(const T* x, std::size_t rows, std::size_t columns, std::size_t a, std::size_t b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < rows; ++i) {
    sum += static_cast<double>(x[i * columns + a]) * static_cast<double>(x[i * columns + b]);
  }
  return sum;
}
template <class T>
void scale_column(T* x, std::size_t rows, std::size_t columns, std::size_t j, double factor) {
  for (std::size_t i = 0; i < rows; ++i) {
    x[i * columns + j] = static_cast<T>(factor * static_cast<double>(x[i * columns + j]));
  }
}

/// Modified Gram-Schmidt on the columns of a row-major [rows, columns] matrix, in place. Each column is projected twice,
/// which makes it orthogonal to those before it to rounding however little of it is left; a column of which less is left than
/// rounding makes of it, or that is 0, becomes 0. Returns false where a number is not finite. The same numbers give the
/// same bits. Cost: 4 rows columns^2 operations.
/// Source: Giraud, Langou, Rozloznik, "The loss of orthogonality in the Gram-Schmidt orthogonalization process", 2005.
template <class T>
[[nodiscard]] bool orthonormalize_columns(T* x, std::size_t rows, std::size_t columns) {
  constexpr double nothing = 64.0 * std::numeric_limits<T>::epsilon();
  for (std::size_t j = 0; j < columns; ++j) {
    const double before = std::sqrt(dot_of_columns(x, rows, columns, j, j));
    if (!std::isfinite(before)) return false;
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t k = 0; k < j; ++k) {
        const double along = dot_of_columns(x, rows, columns, k, j);
        for (std::size_t i = 0; i < rows; ++i) {
          const double rest = static_cast<double>(x[i * columns + j]) - along * static_cast<double>(x[i * columns + k]);
          x[i * columns + j] = static_cast<T>(rest);
        }
      }
    }
    const double left = std::sqrt(dot_of_columns(x, rows, columns, j, j));
    scale_column(x, rows, columns, j, left > nothing * before ? 1.0 / left : 0.0);
  }
  return true;
}

/// Scales the columns to length 1. alive[j] says whether column j had one.
template <class T>
void normalize_columns(T* x, std::size_t rows, std::size_t columns, std::vector<char>& alive) {
  for (std::size_t j = 0; j < columns; ++j) {
    const double length = std::sqrt(dot_of_columns(x, rows, columns, j, j));
    alive[j] = length > 0.0 ? 1 : 0;
    if (length > 0.0) scale_column(x, rows, columns, j, 1.0 / length);
  }
}

}  // namespace polder::detail
