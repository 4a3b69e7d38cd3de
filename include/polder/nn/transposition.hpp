// polder — small matrices transposed in vector registers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "polder/core/config.hpp"
#include "polder/nn/simd.hpp"

namespace polder::nn::detail {

/// to[j][i] = from[i][j] for i below the vector length and j < columns; rows of `from` beyond `rows` count as zeros.
/// Reads and writes whole vectors.
template <class T, std::size_t Bytes>
void transpose_tile(std::size_t rows, std::size_t columns, const T* from, std::size_t from_row, T* to,
                    std::size_t to_row) {
  using vector = typename vector_of<T, Bytes>::type;
  constexpr std::size_t count = Bytes / sizeof(T);
  constexpr auto lane = std::make_index_sequence<count>{};
  vector tile[count], next[count];
  POLDER_UNROLL
  for (std::size_t i = 0; i < count; ++i) {
    tile[i] = vector{};
    if (i < rows) std::memcpy(&tile[i], from + i * from_row, Bytes);
  }
  // Row i and row i + count / 2 in turns, log2(count) times, brings number j of row i to number i of row j.
  POLDER_UNROLL
  for (std::size_t round = 1; round < count; round *= 2) {
    POLDER_UNROLL
    for (std::size_t i = 0; i < count / 2; ++i) {
      next[2 * i] = in_turns<0>(tile[i], tile[i + count / 2], lane);
      next[2 * i + 1] = in_turns<1>(tile[i], tile[i + count / 2], lane);
    }
    POLDER_UNROLL
    for (std::size_t i = 0; i < count; ++i) tile[i] = next[i];
  }
  POLDER_UNROLL
  for (std::size_t j = 0; j < count; ++j) {
    if (j < columns) std::memcpy(to + j * to_row, &tile[j], Bytes);
  }
}

/// to[j][i] = from[i][j] for i < rows, j < columns, with zeros up to the whole vectors of each row of `to`.
template <class T, std::size_t Bytes>
void transpose_to_vectors(std::size_t rows, std::size_t columns, const T* from, std::size_t from_row, T* to,
                          std::size_t to_row) {
  constexpr std::size_t count = Bytes / sizeof(T);
  for (std::size_t i = 0; i < rows; i += count, from += count * from_row, to += count) {
    const std::size_t height = std::min(count, rows - i);
    if (columns < count) {
      for (std::size_t j = 0; j < columns; ++j) {
        for (std::size_t k = 0; k < count; ++k) to[j * to_row + k] = k < height ? from[k * from_row + j] : T{0};
      }
      continue;
    }
    for (std::size_t done = 0; done < columns; done += count) {
      const std::size_t j = std::min(done, columns - count);  // the last tile may overlap the one before
      transpose_tile<T, Bytes>(height, count, from + j, from_row, to + j * to_row, to_row);
    }
  }
}

/// The way back: to[j][i] = from[i][j] for i < rows, j < columns, from rows of whole vectors.
template <class T, std::size_t Bytes>
void transpose_from_vectors(std::size_t rows, std::size_t columns, const T* from, std::size_t from_row, T* to,
                            std::size_t to_row) {
  constexpr std::size_t count = Bytes / sizeof(T);
  for (std::size_t j = 0; j < columns; j += count, from += count, to += count * to_row) {
    const std::size_t width = std::min(count, columns - j);
    if (rows < count) {
      for (std::size_t k = 0; k < width; ++k) {
        for (std::size_t i = 0; i < rows; ++i) to[k * to_row + i] = from[i * from_row + k];
      }
      continue;
    }
    for (std::size_t done = 0; done < rows; done += count) {
      const std::size_t i = std::min(done, rows - count);
      transpose_tile<T, Bytes>(count, width, from + i * from_row, from_row, to + i, to_row);
    }
  }
}

}  // namespace polder::nn::detail
