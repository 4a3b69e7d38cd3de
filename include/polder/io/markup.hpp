// polder — text inside XML and HTML, and numbers for people.
#pragma once

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>

#include "polder/io/utf8.hpp"

namespace polder::io {

/// The text with all that has a meaning in XML and HTML escaped, good for content and for quoted attributes. Bytes that
/// are not UTF-8 become U+FFFD; control characters, which XML forbids, become spaces.
[[nodiscard]] inline std::string escape_markup(std::string_view raw) {
  std::string escaped;
  escaped.reserve(raw.size());
  while (!raw.empty()) {
    const std::size_t length = utf8_length(raw);
    const char c = raw.front();
    if (length == 0) {
      escaped += "\xEF\xBF\xBD";
    } else if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else if (c == '"') {
      escaped += "&quot;";
    } else if (length == 1 && static_cast<unsigned char>(c) < 0x20) {
      escaped += c == '\n' ? '\n' : ' ';
    } else {
      escaped += raw.substr(0, length);
    }
    raw.remove_prefix(length == 0 ? 1 : length);
  }
  return escaped;
}

/// A number with that many digits behind the point.
[[nodiscard]] inline std::string fixed(double value, int digits) {
  if (!std::isfinite(value)) return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  std::array<char, 400> buffer;
  const auto [end, status] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, digits);
  std::string result(buffer.data(), end);
  // A small negative number rounds to "-0.00", which reads as a mistake.
  if (result.starts_with('-') && result.find_first_not_of("-0.") == std::string::npos) result.erase(0, 1);
  return result;
}

namespace detail {

/// An exponent in superscript digits.
[[nodiscard]] inline std::string superscript(int exponent) {
  constexpr std::array<std::string_view, 10> digits{"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string result = exponent < 0 ? "⁻" : "";
  for (const char c : std::to_string(std::abs(exponent))) result += digits[static_cast<std::size_t>(c - '0')];
  return result;
}

}  // namespace detail

}  // namespace polder::io
