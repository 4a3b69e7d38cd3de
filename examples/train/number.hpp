// A number that somebody typed.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace polder_train {

/// The number that the whole text is, if it is one.
template <class Number>
[[nodiscard]] std::optional<Number> number_in(std::string_view from) {
  Number number{};
  const auto end = std::from_chars(from.data(), from.data() + from.size(), number);
  if (from.empty() || end.ec != std::errc{} || end.ptr != from.data() + from.size()) return std::nullopt;
  return number;
}

}  // namespace polder_train
