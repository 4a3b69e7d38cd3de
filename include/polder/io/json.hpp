// polder — JSON as a value: what the summary line, the logs and the headers of files need.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/utf8.hpp"

namespace polder::io {

/// One JSON value: null, true or false, a number, a text, an array, or an object whose members keep their order.
///
/// `json line{{"epoch", 3}, {"loss", 0.25}};  line["note"] = "done";  line.dump()`
class json {
 public:
  using array = std::vector<json>;
  using member = std::pair<std::string, json>;
  using object = std::vector<member>;

  json() = default;
  json(bool value) : value_(value) {}
  json(std::signed_integral auto value) : value_(static_cast<std::int64_t>(value)) {}
  json(std::unsigned_integral auto value) : value_(static_cast<std::uint64_t>(value)) {}
  json(double value) : value_(value) {}
  /// Keeps the shortest decimal text that reads back as the same float: 0.1f is written as 0.1.
  json(float value) : value_(widen(value)) {}
  json(std::string value) : value_(std::move(value)) {}
  json(std::string_view value) : value_(std::string(value)) {}
  json(const char* value) : value_(std::string(value)) {}
  json(array values) : value_(std::move(values)) {}
  json(object members) : value_(std::move(members)) {}
  json(std::initializer_list<member> members) : value_(object(members)) {}

  /// An array of anything that turns into values.
  template <class Range>
  static json array_of(const Range& values) {
    array result;
    for (const auto& value : values) result.emplace_back(value);
    return json(std::move(result));
  }

  /// The member `key`, appended if it is not there; null turns into an object.
  json& operator[](std::string_view key);
  /// The member `key`, or nullptr if there is none or this is no object.
  [[nodiscard]] const json* find(std::string_view key) const;
  /// The member `key`; throws data_error if there is none.
  [[nodiscard]] const json& at(std::string_view key) const;

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  [[nodiscard]] bool is_number() const { return value_.index() >= 2 && value_.index() <= 4; }
  /// The value as `T` (bool, std::string, json::array or json::object), or nullptr if it is of another kind.
  template <class T>
  [[nodiscard]] const T* get_if() const {
    return std::get_if<T>(&value_);
  }
  /// The number, if this is one.
  [[nodiscard]] std::optional<double> as_double() const;
  /// The number, if this is a whole one in 0 .. 2^64 - 1 (a text like 1.0 or 1e3 makes no whole number).
  [[nodiscard]] std::optional<std::uint64_t> as_unsigned() const;

  /// The text of the value on one line (RFC 8259). Floating-point numbers are written in the shortest form that reads
  /// back the same; those that are not finite, which JSON cannot write, as null; bytes that are not UTF-8 as U+FFFD.
  [[nodiscard]] std::string dump() const {
    std::string to;
    write(to);
    return to;
  }
  void write(std::string& to) const;

 private:
  static double widen(float value) {
    char digits[32];
    if (!std::isfinite(value)) return static_cast<double>(value);
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    double wide = 0;
    std::from_chars(digits, end, wide);
    return wide;
  }

  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, array, object> value_;
};

inline json& json::operator[](std::string_view key) {
  if (is_null()) value_ = object();
  object* const members = std::get_if<object>(&value_);
  require<config_error>(members != nullptr, "a JSON value that is no object has no member '", key, "'");
  for (auto& [name, value] : *members) {
    if (name == key) return value;
  }
  return members->emplace_back(std::string(key), json()).second;
}

inline const json* json::find(std::string_view key) const {
  if (const object* const members = get_if<object>()) {
    for (const auto& [name, value] : *members) {
      if (name == key) return &value;
    }
  }
  return nullptr;
}

inline const json& json::at(std::string_view key) const {
  const json* const value = find(key);
  require<data_error>(value != nullptr, "a JSON object has no member '", key, "'");
  return *value;
}

inline std::optional<double> json::as_double() const {
  if (const auto* const number = get_if<double>()) return *number;
  if (const auto* const whole = get_if<std::int64_t>()) return static_cast<double>(*whole);
  if (const auto* const large = get_if<std::uint64_t>()) return static_cast<double>(*large);
  return std::nullopt;
}

inline std::optional<std::uint64_t> json::as_unsigned() const {
  if (const auto* const large = get_if<std::uint64_t>()) return *large;
  const auto* const whole = get_if<std::int64_t>();
  if (whole != nullptr && *whole >= 0) return static_cast<std::uint64_t>(*whole);
  return std::nullopt;
}

namespace detail {

inline void write_json_text(std::string& to, std::string_view value) {
  to += '"';
  while (!value.empty()) {
    const char c = value.front();
    const std::size_t length = utf8_length(value);
    if (c == '"' || c == '\\') {
      to += '\\';
      to += c;
    } else if (c == '\n') {
      to += "\\n";
    } else if (c == '\t') {
      to += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      to += "\\u00";
      to += "0123456789abcdef"[(c >> 4) & 15];
      to += "0123456789abcdef"[c & 15];
    } else if (length == 0) {
      to += "\xEF\xBF\xBD";
    } else {
      to += value.substr(0, length);
    }
    value.remove_prefix(length == 0 ? 1 : length);
  }
  to += '"';
}

}  // namespace detail

inline void json::write(std::string& to) const {
  std::visit(
      [&to]<class T>(const T& value) {
        if constexpr (std::is_same_v<T, std::monostate>) {
          to += "null";
        } else if constexpr (std::is_same_v<T, bool>) {
          to += value ? "true" : "false";
        } else if constexpr (std::is_arithmetic_v<T>) {
          if constexpr (std::is_floating_point_v<T>) {
            if (!std::isfinite(value)) {
              to += "null";
              return;
            }
          }
          char digits[32];
          to.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
        } else if constexpr (std::is_same_v<T, std::string>) {
          detail::write_json_text(to, value);
        } else {
          constexpr bool is_object = std::is_same_v<T, object>;
          to += is_object ? '{' : '[';
          bool first = true;
          for (const auto& item : value) {
            if (!std::exchange(first, false)) to += ", ";
            if constexpr (is_object) {
              detail::write_json_text(to, item.first);
              to += ": ";
              item.second.write(to);
            } else {
              item.write(to);
            }
          }
          to += is_object ? '}' : ']';
        }
      },
      value_);
}

}  // namespace polder::io
