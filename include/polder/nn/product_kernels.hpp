// polder — two matrix products on operands that stay where they are, for layers whose matrices are small.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
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
    POLDER_UNROLL
    for (std::size_t i = 0; i < Rows; ++i) {
      POLDER_UNROLL
      for (std::size_t j = 0; j < Vectors; ++j) sum[i][j] = load(c + i * c_row + j * lanes<T>);
    }
  }
  for (std::size_t l = 0; l < depth; ++l) {
    const T* left = a + terms[l].a;
    const T* right = b + terms[l].b;
    vec<T> row[Vectors];
    POLDER_UNROLL
    for (std::size_t j = 0; j < Vectors; ++j) row[j] = load(right + j * lanes<T>);
    POLDER_UNROLL
    for (std::size_t i = 0; i < Rows; ++i) {
      POLDER_UNROLL
      for (std::size_t j = 0; j < Vectors; ++j) sum[i][j] += left[i * a_row] * row[j];
    }
  }
  POLDER_UNROLL
  for (std::size_t i = 0; i < Rows; ++i) {
    POLDER_UNROLL
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
  const std::size_t column_parts = (vectors + block_vectors - 1) / block_vectors;
  for (std::size_t column_part = 0; column_part < column_parts; ++column_part) {
    const std::size_t j = vectors * column_part / column_parts;
    const std::size_t wide = vectors * (column_part + 1) / column_parts - j;
    const std::size_t parts = (rows + block_rows - 1) / block_rows;
    for (std::size_t part = 0; part < parts; ++part) {
      const std::size_t first = rows * part / parts;
      const std::size_t high = rows * (part + 1) / parts - first;
      blocks[(high - 1) * block_vectors + wide - 1](depth, terms, a + first * a_row, a_row, b + j * lanes<T>,
                                                    c + first * c_row + j * lanes<T>, c_row, add);
    }
  }
}

/// Taps of a window that follow each other: the number of the first, and its place in the planes.
using tap_run = term;

/// D[runs_r.a + t d_tap][v] += sum over h < height, w < width of X[runs_r.b + (h + t) x_row + w] Y[h width + w][v], for
/// the vectors v of a row of Y.
template <class T, std::size_t Bytes, std::size_t Runs, std::size_t Taps, std::size_t Vectors>
void outer_block(std::size_t height, std::size_t width, const T* x, std::size_t x_row, const tap_run* runs, const T* y,
                 std::size_t y_row, T* d, std::size_t d_tap) {
  using vector = typename vector_of<T, Bytes>::type;
  constexpr std::size_t count = Bytes / sizeof(T);
  vector sum[Runs][Taps][Vectors] = {};
  const T* from[Runs];
  POLDER_UNROLL
  for (std::size_t r = 0; r < Runs; ++r) from[r] = x + runs[r].b;
  for (std::size_t h = 0; h < height; ++h) {
    for (std::size_t w = 0; w < width; ++w, y += y_row) {
      vector row[Vectors];
      POLDER_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) std::memcpy(&row[v], y + v * count, Bytes);
      POLDER_UNROLL
      for (std::size_t r = 0; r < Runs; ++r) {
        POLDER_UNROLL
        for (std::size_t t = 0; t < Taps; ++t) {
          POLDER_UNROLL
          for (std::size_t v = 0; v < Vectors; ++v) sum[r][t][v] += from[r][t * x_row] * row[v];
        }
      }
      POLDER_UNROLL
      for (std::size_t r = 0; r < Runs; ++r) ++from[r];
    }
    POLDER_UNROLL
    for (std::size_t r = 0; r < Runs; ++r) from[r] += x_row - width;
  }
  POLDER_UNROLL
  for (std::size_t r = 0; r < Runs; ++r) {
    POLDER_UNROLL
    for (std::size_t t = 0; t < Taps; ++t) {
      POLDER_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) {
        T* const to = d + (runs[r].a + t * d_tap) * y_row + v * count;
        vector total;
        std::memcpy(&total, to, Bytes);
        total += sum[r][t][v];
        std::memcpy(to, &total, Bytes);
      }
    }
  }
}

template <class T>
using outer_block_pointer = void (*)(std::size_t, std::size_t, const T*, std::size_t, const tap_run*, const T*,
                                     std::size_t, T*, std::size_t);

/// Taps of a run at most.
inline constexpr std::size_t longest_run = 5;
/// Runs of so many taps whose sums fit into the registers.
constexpr std::size_t runs_at_once(std::size_t taps, std::size_t vectors) {
  return std::clamp<std::size_t>((vector_bytes == 64 ? 25 : 12) / (taps * vectors), 1, 8);
}

/// For a number of taps: one run or as many as fit.
template <class T, std::size_t Bytes, std::size_t Vectors, std::size_t... Index>
constexpr std::array<std::array<outer_block_pointer<T>, 2>, sizeof...(Index)> outer_blocks(
    std::index_sequence<Index...>) {
  return {{{outer_block<T, Bytes, 1, Index + 1, Vectors>,
            outer_block<T, Bytes, runs_at_once(Index + 1, Vectors), Index + 1, Vectors>}...}};
}

/// As outer_block, for `count` runs and rows of Y (height width, y_row) and D (taps, y_row) of any number of vectors.
template <class T, std::size_t Bytes>
void outer_products(std::size_t height, std::size_t width, const T* x, std::size_t x_row, std::size_t count,
                    const tap_run* runs, std::size_t taps, const T* y, std::size_t y_row, T* d, std::size_t d_tap) {
  constexpr std::size_t most = Bytes == vector_bytes ? 2 : 1;
  static constexpr auto single = outer_blocks<T, Bytes, 1>(std::make_index_sequence<longest_run>{});
  static constexpr auto pair = outer_blocks<T, Bytes, most>(std::make_index_sequence<longest_run>{});
  constexpr std::size_t lane_count = Bytes / sizeof(T);
  for (std::size_t column = 0; column < y_row;) {
    const std::size_t wide = std::min(most, (y_row - column) / lane_count);
    const auto& blocks = (wide == 1 ? single : pair)[taps - 1];
    const std::size_t many = runs_at_once(taps, wide);
    for (std::size_t r = 0; r < count;) {
      const bool all = r + many <= count;
      blocks[all ? 1 : 0](height, width, x, x_row, runs + r, y + column, y_row, d + column, d_tap);
      r += all ? many : 1;
    }
    column += wide * lane_count;
  }
}

}  // namespace polder::nn::detail
