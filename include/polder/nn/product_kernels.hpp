// polder — two matrix products on operands that stay where they are, for layers whose matrices are small.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "polder/core/config.hpp"
#include "polder/nn/simd.hpp"

namespace polder::nn::detail {

/// One term l of a product whose rows lie at irregular distances: where its column of A and its row of B begin.
struct term {
  std::uint32_t a = 0;
  std::uint32_t b = 0;
};

/// The columns of a block take this many vectors; with its rows they fill the 32 registers of AVX-512, or the 16 of
/// AVX.
inline constexpr std::size_t block_vectors = vector_bytes == 64 ? 3 : 2;
inline constexpr std::size_t block_rows = vector_bytes == 64 ? 8 : 4;

template <class T, std::size_t Rows, std::size_t Vectors>
void product_block(std::size_t depth, const term* terms, const T* a, std::size_t a_row, const T* b, T* c,
                   std::size_t c_row, bool add) {
  vec<T> sum[Rows][Vectors] = {};
  if (add) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < Rows; ++i) {
#pragma GCC unroll 8
      for (std::size_t j = 0; j < Vectors; ++j) sum[i][j] = load(c + i * c_row + j * lanes<T>);
    }
  }
  for (std::size_t l = 0; l < depth; ++l) {
    const T* left = a + terms[l].a;
    const T* right = b + terms[l].b;
    vec<T> row[Vectors];
#pragma GCC unroll 8
    for (std::size_t j = 0; j < Vectors; ++j) row[j] = load(right + j * lanes<T>);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < Rows; ++i) {
#pragma GCC unroll 8
      for (std::size_t j = 0; j < Vectors; ++j) sum[i][j] += left[i * a_row] * row[j];
    }
  }
#pragma GCC unroll 8
  for (std::size_t i = 0; i < Rows; ++i) {
#pragma GCC unroll 8
    for (std::size_t j = 0; j < Vectors; ++j) store(c + i * c_row + j * lanes<T>, sum[i][j]);
  }
}

template <class T>
using product_block_pointer = void (*)(std::size_t, const term*, const T*, std::size_t, const T*, T*, std::size_t,
                                       bool);

template <class T, std::size_t... Index>
constexpr std::array<product_block_pointer<T>, sizeof...(Index)> product_blocks(std::index_sequence<Index...>) {
  return {product_block<T, Index / block_vectors + 1, Index % block_vectors + 1>...};
}

/// C_ij (+)= sum_l A[i a_row + terms_l.a] B[terms_l.b + j], for `rows` rows and `columns` columns, the latter a
/// multiple of the vector length. Nothing is packed or copied: the rows of B may overlap, as the columns of a
/// convolution do.
template <class T>
void indexed_product(std::size_t rows, std::size_t columns, std::size_t depth, const term* terms, const T* a,
                     std::size_t a_row, const T* b, T* c, std::size_t c_row, bool add = false) {
  static constexpr auto blocks = product_blocks<T>(std::make_index_sequence<block_rows * block_vectors>{});
  const std::size_t vectors = columns / lanes<T>;
  for (std::size_t j = 0; j < vectors;) {
    const std::size_t wide = std::min(block_vectors, vectors - j);
    const std::size_t parts = (rows + block_rows - 1) / block_rows;
    for (std::size_t part = 0; part < parts; ++part) {
      const std::size_t first = rows * part / parts;
      const std::size_t high = rows * (part + 1) / parts - first;
      blocks[(high - 1) * block_vectors + wide - 1](depth, terms, a + first * a_row, a_row, b + j * lanes<T>,
                                                    c + first * c_row + j * lanes<T>, c_row, add);
    }
    j += wide;
  }
}

inline constexpr std::size_t dot_rows = vector_bytes == 64 ? 4 : 2;
inline constexpr std::size_t dot_columns = vector_bytes == 64 ? 6 : 4;

template <class T, std::size_t Rows, std::size_t Columns>
void dot_block(std::size_t images, std::size_t length, const T* y, std::size_t y_image, std::size_t y_row, const T* x,
               std::size_t x_image, const term* terms, T* d, std::size_t d_row, bool overwrite) {
  vec<T> sum[Rows][Columns] = {};
  for (std::size_t image = 0; image < images; ++image) {
    const T* left = y + image * y_image;
    const T* right[Columns];
#pragma GCC unroll 8
    for (std::size_t l = 0; l < Columns; ++l) right[l] = x + image * x_image + terms[l].b;
    for (std::size_t j = 0; j < length; j += lanes<T>) {
      vec<T> column[Rows];
#pragma GCC unroll 8
      for (std::size_t i = 0; i < Rows; ++i) column[i] = load(left + i * y_row + j);
#pragma GCC unroll 8
      for (std::size_t l = 0; l < Columns; ++l) {
        const vec<T> row = load(right[l] + j);
#pragma GCC unroll 8
        for (std::size_t i = 0; i < Rows; ++i) sum[i][l] += column[i] * row;
      }
    }
  }
  for (std::size_t i = 0; i < Rows; ++i) {
    for (std::size_t l = 0; l < Columns; ++l) {
      T& to = d[i * d_row + terms[l].a];
      const T dot = sum_of_lanes<T>(sum[i][l]);
      to = overwrite ? dot : to + dot;
    }
  }
}

template <class T>
using dot_block_pointer = void (*)(std::size_t, std::size_t, const T*, std::size_t, std::size_t, const T*, std::size_t,
                                   const term*, T*, std::size_t, bool);

template <class T, std::size_t... Index>
constexpr std::array<dot_block_pointer<T>, sizeof...(Index)> dot_blocks(std::index_sequence<Index...>) {
  return {dot_block<T, Index / dot_columns + 1, Index % dot_columns + 1>...};
}

/// D[i d_row + terms_l.a] (+)= sum over images and j < length of Y[image][i y_row + j] X[image][terms_l.b + j], with
/// `length` a multiple of the vector length and `terms` the columns of D.
template <class T>
void indexed_dots(std::size_t images, std::size_t rows, std::size_t length, std::size_t columns, const term* terms,
                  const T* y, std::size_t y_image, std::size_t y_row, const T* x, std::size_t x_image, T* d,
                  std::size_t d_row, bool overwrite) {
  static constexpr auto blocks = dot_blocks<T>(std::make_index_sequence<dot_rows * dot_columns>{});
  const std::size_t row_parts = (rows + dot_rows - 1) / dot_rows;
  const std::size_t column_parts = (columns + dot_columns - 1) / dot_columns;
  for (std::size_t column_part = 0; column_part < column_parts; ++column_part) {
    const std::size_t column = columns * column_part / column_parts;
    const std::size_t wide = columns * (column_part + 1) / column_parts - column;
    for (std::size_t row_part = 0; row_part < row_parts; ++row_part) {
      const std::size_t row = rows * row_part / row_parts;
      const std::size_t high = rows * (row_part + 1) / row_parts - row;
      blocks[(high - 1) * dot_columns + wide - 1](images, length, y + row * y_row, y_image, y_row, x, x_image,
                                                  terms + column, d + row * d_row, d_row, overwrite);
    }
  }
}

}  // namespace polder::nn::detail
