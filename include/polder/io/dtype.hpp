// polder — the element types of tensor files.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

namespace polder::io {

static_assert(std::endian::native == std::endian::little, "tensor files are little-endian, and so must the machine be");

/// The element types that safetensors files name; the first of each size are those that C++ has, too.
enum class dtype { f64, i64, u64, f32, i32, u32, f16, bf16, i16, u16, i8, u8, boolean };

struct dtype_info {
  dtype type;
  std::string_view name;  ///< in a safetensors header
  std::size_t size;       ///< bytes of an element
};

/// All element types, the largest first.
inline constexpr std::array<dtype_info, 13> dtypes{{{dtype::f64, "F64", 8},
                                                    {dtype::i64, "I64", 8},
                                                    {dtype::u64, "U64", 8},
                                                    {dtype::f32, "F32", 4},
                                                    {dtype::i32, "I32", 4},
                                                    {dtype::u32, "U32", 4},
                                                    {dtype::f16, "F16", 2},
                                                    {dtype::bf16, "BF16", 2},
                                                    {dtype::i16, "I16", 2},
                                                    {dtype::u16, "U16", 2},
                                                    {dtype::i8, "I8", 1},
                                                    {dtype::u8, "U8", 1},
                                                    {dtype::boolean, "BOOL", 1}}};

[[nodiscard]] constexpr const dtype_info& info_of(dtype type) { return dtypes[static_cast<std::size_t>(type)]; }

[[nodiscard]] constexpr std::optional<dtype> dtype_named(std::string_view name) {
  for (const dtype_info& info : dtypes) {
    if (info.name == name) return info.type;
  }
  return std::nullopt;
}

/// A C++ type whose numbers a tensor file holds as they are.
template <class T>
concept file_number = std::same_as<T, double> || std::same_as<T, float> ||
                      (std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && sizeof(T) <= 8);

/// The element type of a C++ type.
template <file_number T>
[[nodiscard]] constexpr dtype dtype_of() {
  if constexpr (std::same_as<T, double>) {
    return dtype::f64;
  } else if constexpr (std::same_as<T, float>) {
    return dtype::f32;
  } else if constexpr (std::signed_integral<T>) {
    return sizeof(T) == 8 ? dtype::i64 : sizeof(T) == 4 ? dtype::i32 : sizeof(T) == 2 ? dtype::i16 : dtype::i8;
  } else {
    return sizeof(T) == 8 ? dtype::u64 : sizeof(T) == 4 ? dtype::u32 : sizeof(T) == 2 ? dtype::u16 : dtype::u8;
  }
}

/// The bytes of a tensor, or nothing if they are more than a size_t counts.
[[nodiscard]] constexpr std::optional<std::size_t> tensor_bytes(std::span<const std::size_t> shape,
                                                                std::size_t element) {
  std::size_t product = element;
  bool overflow = false;
  for (const std::size_t extent : shape) {
    if (extent == 0) return 0;
    overflow = overflow || product > std::numeric_limits<std::size_t>::max() / extent;
    product *= extent;
  }
  return overflow ? std::nullopt : std::optional(product);
}

}  // namespace polder::io
