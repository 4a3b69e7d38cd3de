// polder — small whole numbers side by side in bytes: the first in the lowest bits.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "polder/compress/message.hpp"
#include "polder/compress/tensors.hpp"

namespace polder::detail {

/// How many bytes `count` numbers of `bits` bits take.
[[nodiscard]] constexpr std::size_t packed_bytes(std::size_t count, unsigned bits) {
  return count / 8 * bits + (count % 8 * bits + 7) / 8;
}

/// Eight numbers of `bits` <= 8 bits, one in each byte of `word`, brought together in the lowest 8 bits bits.
[[nodiscard]] constexpr std::uint64_t gather_eight(std::uint64_t word, unsigned bits) {
  word = (word & 0x00FF00FF00FF00FFu) | ((word >> 8) & 0x00FF00FF00FF00FFu) << bits;
  word = (word & 0x0000FFFF0000FFFFu) | ((word >> 16) & 0x0000FFFF0000FFFFu) << (2 * bits);
  return (word & 0x00000000FFFFFFFFu) | (word >> 32) << (4 * bits);
}
/// The inverse of gather_eight; the bits above the lowest 8 bits do not matter.
[[nodiscard]] constexpr std::uint64_t scatter_eight(std::uint64_t word, unsigned bits) {
  const std::uint64_t four = (std::uint64_t{1} << (4 * bits)) - 1;
  const std::uint64_t two = ((std::uint64_t{1} << (2 * bits)) - 1) * 0x0000000100000001u;
  const std::uint64_t one = ((std::uint64_t{1} << bits) - 1) * 0x0001000100010001u;
  word = (word & four) | ((word >> (4 * bits)) & four) << 32;
  word = (word & two) | ((word >> (2 * bits)) & two) << 16;
  return (word & one) | ((word >> bits) & one) << 8;
}

/// gather_eight and scatter_eight for bits = 1, by one product: bit 0 of byte i meets 2^(56 - 7 i) in bit 56 + i, and no
/// two of the 64 partial products fall on the same bit; the other way around, bit i of eight copies is byte i's.
[[nodiscard]] constexpr std::uint64_t gather_eight_bits(std::uint64_t word) { return word * 0x0102040810204080u >> 56; }
[[nodiscard]] constexpr std::uint64_t scatter_eight_bits(std::uint64_t word) {
  const std::uint64_t spread = (word & 0xFFu) * 0x0101010101010101u & 0x8040201008040201u;
  return ((spread + 0x7F7F7F7F7F7F7F7Fu) >> 7) & 0x0101010101010101u;
}

/// Packs `count` <= codec_block numbers; the unused bits of the last byte are 0. Returns the byte after the last.
/// `numbers` has room for codec_block.
inline std::byte* pack_block(std::uint8_t* numbers, std::size_t count, unsigned bits, std::byte* to) {
  if (bits == 8) {
    std::memcpy(to, numbers, count);
    return to + count;
  }
  for (std::size_t i = count; i % 8 != 0; ++i) numbers[i] = 0;
  if (bits == 1) {
    for (std::size_t group = 0; group * 8 < count; ++group) {
      std::uint64_t word = 0;
      std::memcpy(&word, numbers + group * 8, 8);
      to[group] = static_cast<std::byte>(gather_eight_bits(word));
    }
    return to + packed_bytes(count, 1);
  }
  std::byte packed[codec_block + 8];
  for (std::size_t group = 0; group * 8 < count; ++group) {
    std::uint64_t word = 0;
    std::memcpy(&word, numbers + group * 8, 8);
    word = gather_eight(word, bits);
    std::memcpy(packed + group * bits, &word, 8);
  }
  const std::size_t bytes = packed_bytes(count, bits);
  std::memcpy(to, packed, bytes);
  return to + bytes;
}
/// The inverse of pack_block. Says whether the unused bits of the last byte are 0.
[[nodiscard]] inline bool unpack_block(const std::byte* from, std::size_t count, unsigned bits, std::uint8_t* numbers) {
  if (bits == 8) {
    std::memcpy(numbers, from, count);
    return true;
  }
  const std::size_t bytes = packed_bytes(count, bits);
  if (bits == 1) {
    for (std::size_t group = 0; group * 8 < count; ++group) {
      const std::uint64_t word = scatter_eight_bits(std::to_integer<std::uint64_t>(from[group]));
      std::memcpy(numbers + group * 8, &word, 8);
    }
  } else {
    std::byte packed[codec_block + 8] = {};
    std::memcpy(packed, from, bytes);
    for (std::size_t group = 0; group * 8 < count; ++group) {
      std::uint64_t word = 0;
      std::memcpy(&word, packed + group * bits, 8);
      word = scatter_eight(word, bits);
      std::memcpy(numbers + group * 8, &word, 8);
    }
  }
  const auto used = static_cast<unsigned>(count * bits % 8);
  return used == 0 || std::to_integer<unsigned>(from[bytes - 1]) >> used == 0;
}

/// Writes numbers of up to 56 bits one after the other.
class bit_writer {
 public:
  explicit bit_writer(std::byte* to) : to_(to) {}
  void put(std::uint64_t number, unsigned bits) {
    if (bits > 32) {
      put(number & 0xFFFFFFFFu, 32);
      number >>= 32;
      bits -= 32;
    }
    pending_ |= number << filled_;
    filled_ += bits;
    if (filled_ >= 32) {
      store_value(to_, static_cast<std::uint32_t>(pending_));
      to_ += 4;
      pending_ >>= 32;
      filled_ -= 32;
    }
  }
  /// The bytes that are left.
  void finish() {
    for (unsigned at = 0; at < filled_; at += 8) *to_++ = static_cast<std::byte>(pending_ >> at);
  }

 private:
  std::byte* to_;
  std::uint64_t pending_ = 0;
  unsigned filled_ = 0;
};

/// Reads what bit_writer wrote; reads no byte before it is needed.
class bit_reader {
 public:
  explicit bit_reader(const std::byte* from) : from_(from) {}
  [[nodiscard]] std::uint64_t get(unsigned bits) {
    for (; filled_ < bits; filled_ += 8) pending_ |= std::to_integer<std::uint64_t>(*from_++) << filled_;
    const std::uint64_t number = pending_ & ((std::uint64_t{1} << bits) - 1);
    pending_ >>= bits;
    filled_ -= bits;
    return number;
  }
  /// Whether the unused bits of the last byte are 0.
  [[nodiscard]] bool clean() const { return pending_ == 0; }

 private:
  const std::byte* from_;
  std::uint64_t pending_ = 0;
  unsigned filled_ = 0;
};

}  // namespace polder::detail
