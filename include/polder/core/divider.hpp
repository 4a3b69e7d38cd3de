// polder — division by a number that stays, for index maps: a multiplication and a shift.
#pragma once

#include <cstddef>
#include <cstdint>

#include "polder/core/config.hpp"
#include "polder/core/error.hpp"

namespace polder {

/// Quotients and remainders of whole numbers below 2^32 by a divisor from 1 to 2^32 - 1, exactly. Index maps consist
/// of divisions, for which a device has no instruction.
///
///     with s the least number such that d <= 2^s, and m = floor(2^32 (2^s - d) / d) + 1:    n / d = (m n / 2^32 + n) / 2^s
///
/// Source: Granlund, Montgomery, "Division by Invariant Integers using Multiplication", PLDI 1994.
class divider {
 public:
  struct parts {
    std::uint32_t quotient, remainder;
  };

  /// Errors: config_error for a divisor outside 1 to 2^32 - 1.
  divider(std::size_t divisor) : divisor_(static_cast<std::uint32_t>(divisor)) {
    require<config_error>(divisor >= 1 && divisor <= 0xFFFFFFFF, "divider: ", divisor, " is outside 1 to 2^32 - 1");
    while ((std::uint64_t{1} << shift_) < divisor) ++shift_;
    multiplier_ = static_cast<std::uint32_t>((((std::uint64_t{1} << shift_) - divisor) << 32) / divisor + 1);
  }

  [[nodiscard]] POLDER_HD std::uint32_t divisor() const { return divisor_; }
  [[nodiscard]] POLDER_HD std::uint32_t quotient(std::uint32_t n) const {
    return static_cast<std::uint32_t>(((std::uint64_t{multiplier_} * n >> 32) + n) >> shift_);
  }
  [[nodiscard]] POLDER_HD parts split(std::uint32_t n) const {
    const std::uint32_t q = quotient(n);
    return {q, n - q * divisor_};
  }

 private:
  std::uint32_t divisor_;
  std::uint32_t multiplier_ = 0;
  std::uint32_t shift_ = 0;
};

}  // namespace polder
