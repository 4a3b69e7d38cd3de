// polder — a strict JSON parser (RFC 8259) for what comes from outside: headers of files, manifests, logs.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>

#include "polder/core/error.hpp"
#include "polder/io/json.hpp"
#include "polder/io/utf8.hpp"

namespace polder::io {

/// What a text may make the parser allocate.
struct json_limits {
  std::size_t depth = 64;                     ///< arrays and objects inside one another
  std::size_t values = std::size_t{1} << 22;  ///< values in all
};

namespace detail {

class json_parser {
 public:
  json_parser(std::string_view text, std::string_view name, json_limits limits)
      : text_(text), name_(name), limits_(limits) {}

  json whole() {
    json result = value(0);
    skip_space();
    check(at_ == text_.size(), "other text behind the value");
    return result;
  }

 private:
  template <class... Pieces>
  void check(bool condition, const Pieces&... pieces) const {
    require<data_error>(condition, "'", name_, "' is not valid JSON at byte ", at_, ": ", pieces...);
  }
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool accept(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  json value(std::size_t depth) {
    check(depth <= limits_.depth, "more than ", limits_.depth, " levels");
    check(++values_ <= limits_.values, "more than ", limits_.values, " values");
    skip_space();
    switch (peek()) {
      case '{':
        return object(depth);
      case '[':
        return array(depth);
      case '"':
        return json(string());
      case 't':
        return word("true", json(true));
      case 'f':
        return word("false", json(false));
      case 'n':
        return word("null", json());
      default:
        return number();
    }
  }

  json word(std::string_view expected, json meaning) {
    check(text_.substr(at_).starts_with(expected), "expected ", expected);
    at_ += expected.size();
    return meaning;
  }

  json array(std::size_t depth) {
    json::array items;
    ++at_;
    skip_space();
    if (accept(']')) return json(std::move(items));
    do {
      items.push_back(value(depth + 1));
      skip_space();
    } while (accept(','));
    check(accept(']'), "expected ',' or ']'");
    return json(std::move(items));
  }

  json object(std::size_t depth) {
    json::object members;
    std::unordered_set<std::string> keys;
    ++at_;
    skip_space();
    if (accept('}')) return json(std::move(members));
    do {
      skip_space();
      check(peek() == '"', "expected a member's name in double quotes");
      std::string key = string();
      check(keys.insert(key).second, "the name '", key, "' appears twice in one object");
      skip_space();
      check(accept(':'), "expected ':'");
      json item = value(depth + 1);
      members.emplace_back(std::move(key), std::move(item));
      skip_space();
    } while (accept(','));
    check(accept('}'), "expected ',' or '}'");
    return json(std::move(members));
  }

  std::string string() {
    std::string result;
    ++at_;
    while (!accept('"')) {
      check(at_ < text_.size(), "a text without its closing quote");
      const char c = text_[at_];
      check(static_cast<unsigned char>(c) >= 0x20, "a control character inside a text");
      if (c == '\\') {
        ++at_;
        escape(result);
      } else {
        const std::size_t length = utf8_length(text_.substr(at_));
        check(length > 0, "a byte that is not UTF-8");
        result += text_.substr(at_, length);
        at_ += length;
      }
    }
    return result;
  }

  void escape(std::string& to) {
    const char c = peek();
    ++at_;
    switch (c) {
      case '"':
      case '\\':
      case '/':
        to += c;
        return;
      case 'b':
        to += '\b';
        return;
      case 'f':
        to += '\f';
        return;
      case 'n':
        to += '\n';
        return;
      case 'r':
        to += '\r';
        return;
      case 't':
        to += '\t';
        return;
      case 'u':
        break;
      default:
        --at_;
        check(false, "an unknown escape");
    }
    char32_t point = four_hex_digits();
    if (point >= 0xD800 && point < 0xDC00) {
      check(accept('\\') && accept('u'), "half of a surrogate pair");
      const char32_t low = four_hex_digits();
      check(low >= 0xDC00 && low < 0xE000, "half of a surrogate pair");
      point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    }
    check(point < 0xD800 || point >= 0xE000, "half of a surrogate pair");
    append_utf8(to, point);
  }

  char32_t four_hex_digits() {
    std::uint32_t point = 0;
    check(text_.size() - at_ >= 4, "an escape that is cut off");
    const char* const first = text_.data() + at_;
    check(std::from_chars(first, first + 4, point, 16).ptr == first + 4, "an escape without four hexadecimal digits");
    at_ += 4;
    return point;
  }

  bool digits() {
    const std::size_t first = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > first;
  }

  json number() {
    const std::size_t first = at_;
    const bool negative = accept('-');
    check(accept('0') || digits(), "expected a value");
    bool whole = true;
    if (accept('.')) {
      whole = false;
      check(digits(), "a number without digits behind its point");
    }
    if (accept('e') || accept('E')) {
      whole = false;
      if (!accept('+')) accept('-');
      check(digits(), "a number without digits in its exponent");
    }
    const char* const begin = text_.data() + first;
    const char* const end = text_.data() + at_;
    // Beyond 64 bits a whole number falls through to floating point, as other readers of JSON have it.
    if (std::int64_t low = 0; whole && negative && std::from_chars(begin, end, low).ec == std::errc{}) return json(low);
    if (std::uint64_t high = 0; whole && !negative && std::from_chars(begin, end, high).ec == std::errc{}) {
      return json(high);
    }
    double number = 0;
    check(std::from_chars(begin, end, number).ec == std::errc{}, "the number ", std::string_view(begin, end),
          " is outside the range of double");
    return json(number);
  }

  std::string_view text_;
  std::string_view name_;
  json_limits limits_;
  std::size_t at_ = 0;
  std::size_t values_ = 0;
};

}  // namespace detail

/// The value that a text holds. `name` is what errors call the text. Throws data_error, with the byte where it happened,
/// for anything that RFC 8259 does not allow, and for a name that appears twice in one object.
[[nodiscard]] inline json parse_json(std::string_view text, std::string_view name, json_limits limits = {}) {
  return detail::json_parser(text, name, limits).whole();
}

}  // namespace polder::io
