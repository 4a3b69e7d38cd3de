// polder — NumPy's .npy files (format 1.0 to 3.0): arrays of numbers that other programs made or want.
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/dtype.hpp"
#include "polder/io/file.hpp"
#include "polder/io/npy_header.hpp"

namespace polder::io {

/// An array from a .npy file: always row-major and little-endian, whatever the file was.
struct npy_array {
  std::string name;  ///< what errors call it
  io::dtype type = io::dtype::f32;
  std::vector<std::size_t> shape;  ///< empty for a single number
  bytes content;

  [[nodiscard]] std::size_t size() const { return content.size() / info_of(type).size; }
  /// All numbers as `T`. Throws data_error for a number that `T` cannot hold (a fraction or a large value as a whole
  /// number); rounding from double to float is no error.
  template <file_number T>
  [[nodiscard]] std::vector<T> as() const;
};

namespace detail {

/// IEEE 754 binary16.
[[nodiscard]] inline float float_of_half(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000u} << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1Fu;
  const std::uint32_t fraction = half & 0x3FFu;
  if (exponent == 0) {
    const float tiny = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -tiny : tiny;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

/// Calls `use` with a value of the C++ type that holds the elements of `type`; 16-bit floats come as their bits.
template <class Use>
void with_type(dtype type, Use use) {
  switch (type) {
    case dtype::f64:
      return use(double{});
    case dtype::f32:
      return use(float{});
    case dtype::i64:
      return use(std::int64_t{});
    case dtype::u64:
      return use(std::uint64_t{});
    case dtype::i32:
      return use(std::int32_t{});
    case dtype::u32:
      return use(std::uint32_t{});
    case dtype::i16:
      return use(std::int16_t{});
    case dtype::i8:
      return use(std::int8_t{});
    case dtype::u16:
    case dtype::f16:
    case dtype::bf16:
      return use(std::uint16_t{});
    case dtype::u8:
    case dtype::boolean:
      return use(std::uint8_t{});
  }
}

/// Whether `number` lies in the range of `T` and has no fraction if `T` is a whole-number type.
template <class T, class From>
[[nodiscard]] bool fits(From number) {
  if constexpr (std::floating_point<T>) {
    return true;
  } else if constexpr (std::integral<From>) {
    return std::in_range<T>(number);
  } else {
    // Both bounds are powers of two (or 0), so they are exact; a number that is not finite fails the comparison.
    const auto low = static_cast<From>(std::numeric_limits<T>::min());
    const From high = std::ldexp(From{1}, std::numeric_limits<T>::digits);
    return number >= low && number < high && number == std::floor(number);
  }
}

/// From column-major to row-major.
[[nodiscard]] inline bytes row_major(byte_view columns, std::span<const std::size_t> shape, std::size_t element) {
  bytes rows(columns.size());
  std::vector<std::size_t> index(shape.size(), 0);
  std::vector<std::size_t> stride(shape.size(), element);  // in the column-major source
  for (std::size_t d = 1; d < shape.size(); ++d) stride[d] = stride[d - 1] * shape[d - 1];
  std::size_t source = 0;
  for (std::size_t target = 0; target < rows.size(); target += element) {
    std::memcpy(&rows[target], &columns[source], element);
    for (std::size_t d = shape.size(); d-- > 0;) {
      source += stride[d];
      if (++index[d] < shape[d]) break;
      source -= index[d] * stride[d];
      index[d] = 0;
    }
  }
  return rows;
}

}  // namespace detail

template <file_number T>
std::vector<T> npy_array::as() const {
  std::vector<T> numbers(size());
  detail::with_type(type, [&]<class Stored>(Stored) {
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      Stored raw;
      std::memcpy(&raw, content.data() + i * sizeof raw, sizeof raw);
      const auto convert = [&](auto number) {
        require<data_error>(detail::fits<T>(number), "number ", i, " of '", name, "' is ", number,
                            ", which cannot be used as a whole number of ", sizeof(T), " bytes");
        numbers[i] = static_cast<T>(number);
      };
      if constexpr (std::same_as<Stored, std::uint16_t>) {
        type == dtype::f16 ? convert(detail::float_of_half(raw)) : convert(raw);
      } else {
        convert(raw);
      }
    }
  });
  return numbers;
}

/// The array in the bytes of a .npy file; `name` is what errors call it.
///
/// Reads b1, i1-i8, u1-u8, f2, f4, f8 of either byte order and either memory order. Errors (data_error): wrong magic,
/// unknown version, malformed header, another type, fewer or more numbers than the shape says.
[[nodiscard]] inline npy_array parse_npy(byte_view content, std::string name) {
  constexpr std::string_view magic = "\x93NUMPY";
  const auto check = [&](bool condition, const auto&... pieces) {
    require<data_error>(condition, "'", name, "' is not a valid .npy file: ", pieces...);
  };
  check(!content.empty(), "it is empty");
  check(as_text(content).starts_with(magic), "it does not begin with \\x93NUMPY");
  check(content.size() >= 10, "it ends inside its header");
  const unsigned version = content[6];
  check(version >= 1 && version <= 3, "format version ", version, " is unknown");
  const std::size_t length_size = version == 1 ? 2 : 4;
  check(content.size() >= 8 + length_size, "it ends inside its header");
  std::uint32_t length = 0;
  std::memcpy(&length, content.data() + 8, length_size);
  content = content.subspan(8 + length_size);
  check(length <= content.size(), "its header claims ", length, " bytes, but only ", content.size(), " follow");

  detail::npy_header header(as_text(content.first(length)), name);
  const byte_view numbers = content.subspan(length);
  const std::size_t element = info_of(header.type).size;
  const auto expected = tensor_bytes(header.shape, element);
  check(expected == numbers.size(), "its header promises ",
        expected ? text(*expected, " bytes of numbers") : std::string("more numbers than fit in memory"), ", found ",
        numbers.size());

  const bool turn = header.fortran_order && header.shape.size() > 1;
  npy_array array{std::move(name), header.type, std::move(header.shape), {}};
  array.content = turn ? detail::row_major(numbers, array.shape, element) : bytes(numbers.begin(), numbers.end());
  if (header.big_endian) {
    for (auto at = array.content.begin(); at != array.content.end(); at += static_cast<std::ptrdiff_t>(element)) {
      std::reverse(at, at + static_cast<std::ptrdiff_t>(element));
    }
  }
  return array;
}

/// Reads a .npy file; errors as parse_npy and read_file.
[[nodiscard]] inline npy_array read_npy(const std::string& path, std::size_t limit = default_size_limit) {
  return parse_npy(read_file(path, limit), path);
}

/// The header of a .npy file (version 1.0) of that type and shape; the numbers follow it at a multiple of 64 bytes.
template <file_number T>
[[nodiscard]] std::string npy_header_of(std::span<const std::size_t> shape) {
  constexpr char kind = std::floating_point<T> ? 'f' : std::signed_integral<T> ? 'i' : 'u';
  std::string header =
      text("{'descr': '", sizeof(T) == 1 ? '|' : '<', kind, sizeof(T), "', 'fortran_order': False, 'shape': (");
  for (const std::size_t extent : shape) header += text(extent, ", ");
  header += "), }";
  header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  header += '\n';
  return text("\x93NUMPY\x01", '\0', static_cast<char>(header.size() & 0xFFu), static_cast<char>(header.size() >> 8),
              header);
}

/// Writes numbers as a .npy file that numpy.load reads. Errors: config_error if the shape does not fit; data_error, with
/// the old file untouched, if writing fails.
template <file_number T>
void write_npy(const std::string& path, std::span<const T> numbers, std::span<const std::size_t> shape) {
  require<config_error>(shape.size() <= 32 && tensor_bytes(shape, sizeof(T)) == numbers.size_bytes(), "'", path,
                        "': ", numbers.size(), " numbers do not have the shape that is given");
  const std::string header = npy_header_of<T>(shape);
  const byte_view pieces[] = {as_bytes(header),
                              {reinterpret_cast<const std::uint8_t*>(numbers.data()), numbers.size_bytes()}};
  write_file(path, pieces);
}

}  // namespace polder::io
