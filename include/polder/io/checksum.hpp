// polder — a fast 64-bit check sum for files: XXH64.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace polder::io {

/// XXH64 (Yann Collet's xxHash specification, seed 0) of bytes that come in pieces. Finds accidents, not attackers.
///
/// Four independent lanes of multiply, rotate, multiply: several bytes a cycle, so that check sums cost less than the
/// file they protect. The value does not depend on how the bytes were cut into pieces.
class xxh64 {
 public:
  xxh64& update(std::span<const std::uint8_t> content) {
    total_ += content.size();
    if (filled_ > 0) {
      const std::size_t taken = std::min(content.size(), stripe - filled_);
      std::copy_n(content.begin(), taken, pending_.begin() + static_cast<std::ptrdiff_t>(filled_));
      filled_ += taken;
      content = content.subspan(taken);
      if (filled_ < stripe) return *this;
      absorb(pending_.data());
      filled_ = 0;
    }
    for (; content.size() >= stripe; content = content.subspan(stripe)) absorb(content.data());
    std::copy(content.begin(), content.end(), pending_.begin());
    filled_ = content.size();
    return *this;
  }

  [[nodiscard]] std::uint64_t digest() const {
    std::uint64_t hash = prime5;
    if (total_ >= stripe) {
      hash = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) + std::rotl(lanes_[3], 18);
      for (const std::uint64_t lane : lanes_) hash = (hash ^ round(0, lane)) * prime1 + prime4;
    }
    hash += total_;
    std::size_t at = 0;
    for (; at + 8 <= filled_; at += 8) {
      hash = std::rotl(hash ^ round(0, load<std::uint64_t>(&pending_[at])), 27) * prime1 + prime4;
    }
    if (at + 4 <= filled_) {
      hash = std::rotl(hash ^ (load<std::uint32_t>(&pending_[at]) * prime1), 23) * prime2 + prime3;
      at += 4;
    }
    for (; at < filled_; ++at) hash = std::rotl(hash ^ (pending_[at] * prime5), 11) * prime1;
    hash = (hash ^ (hash >> 33)) * prime2;
    hash = (hash ^ (hash >> 29)) * prime3;
    return hash ^ (hash >> 32);
  }

 private:
  static constexpr std::size_t stripe = 32;
  static constexpr std::uint64_t prime1 = 0x9E3779B185EBCA87u;
  static constexpr std::uint64_t prime2 = 0xC2B2AE3D27D4EB4Fu;
  static constexpr std::uint64_t prime3 = 0x165667B19E3779F9u;
  static constexpr std::uint64_t prime4 = 0x85EBCA77C2B2AE63u;
  static constexpr std::uint64_t prime5 = 0x27D4EB2F165667C5u;
  static_assert(std::endian::native == std::endian::little, "the words of a check sum are little-endian");

  template <class Word>
  static Word load(const std::uint8_t* from) {
    Word word;
    std::memcpy(&word, from, sizeof word);
    return word;
  }
  static std::uint64_t round(std::uint64_t lane, std::uint64_t word) {
    return std::rotl(lane + word * prime2, 31) * prime1;
  }
  void absorb(const std::uint8_t* from) {
    for (std::size_t i = 0; i < lanes_.size(); ++i) lanes_[i] = round(lanes_[i], load<std::uint64_t>(from + 8 * i));
  }

  std::array<std::uint64_t, 4> lanes_{prime1 + prime2, prime2, 0, 0 - prime1};
  std::array<std::uint8_t, stripe> pending_{};
  std::size_t filled_ = 0;
  std::uint64_t total_ = 0;
};

/// XXH64 of bytes that are there as a whole.
[[nodiscard]] inline std::uint64_t checksum64(std::span<const std::uint8_t> content) {
  return xxh64{}.update(content).digest();
}

/// Sixteen lower-case hexadecimal digits.
[[nodiscard]] inline std::string hex64(std::uint64_t value) {
  std::string digits(16, '0');
  for (std::size_t i = digits.size(); i-- > 0; value >>= 4) digits[i] = "0123456789abcdef"[value & 15u];
  return digits;
}

}  // namespace polder::io
