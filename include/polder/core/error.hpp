// polder — the errors it throws. Each message names the value that is wrong and what to do about it.
#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace polder {

/// The base of every exception that polder throws on purpose.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// A hyperparameter, an option or a combination of parts that cannot work.
struct config_error : error {
  using error::error;
};
/// A message that did not arrive, a worker that failed, a deadline that passed.
struct comm_error : error {
  using error::error;
};
/// A file or a stream whose content is not what its format says.
struct data_error : error {
  using error::error;
};
/// Memory or a kernel that the backend could not provide.
struct backend_error : error {
  using error::error;
};
/// A compressed message that is cut off, altered or not what this worker expects, or numbers that do not fit into one.
struct compress_error : error {
  using error::error;
};
/// A loss or a gradient that is infinite or not a number.
struct non_finite_error : error {
  using error::error;
};

namespace detail {

// A piece of a text. The pieces lose their types here, so that what puts them together is compiled once, and not once
// for every list of types.
class piece {
 public:
  // Implicit, all of them: a call lists what it has.
  piece(std::string_view text) : text_(text) {}
  piece(const std::string& text) : text_(text) {}
  piece(const char* text) : text_(text) {}
  piece(std::same_as<bool> auto truth) : text_(truth ? "true" : "false") {}
  piece(char c) : kind_(kind::letter), letter_(c) {}
  template <class Number>
    requires(std::is_arithmetic_v<Number> && !std::same_as<Number, bool> && !std::same_as<Number, char>)
  piece(Number number) {
    if constexpr (std::is_floating_point_v<Number>) {
      kind_ = kind::fraction;
      fraction_ = static_cast<double>(number);
    } else if constexpr (std::is_signed_v<Number>) {
      kind_ = kind::whole;
      whole_ = number;
    } else {
      kind_ = kind::count;
      count_ = number;
    }
  }

  void append_to(std::string& s) const {
    switch (kind_) {
      case kind::text:
        s += text_;
        break;
      case kind::letter:
        s += letter_;
        break;
      case kind::whole:
        s += std::to_string(whole_);
        break;
      case kind::count:
        s += std::to_string(count_);
        break;
      case kind::fraction:
        char digits[40];
        const int length = __builtin_snprintf(digits, sizeof digits, "%.6g", fraction_);
        s.append(digits, static_cast<std::size_t>(length));
        break;
    }
  }

 private:
  enum class kind { text, letter, whole, count, fraction };
  kind kind_ = kind::text;
  std::string_view text_;
  char letter_ = 0;
  long long whole_ = 0;
  unsigned long long count_ = 0;
  double fraction_ = 0.0;
};

inline std::string joined(std::initializer_list<piece> pieces) {
  std::string whole;
  for (const piece& p : pieces) p.append_to(whole);
  return whole;
}

template <class Error>
[[noreturn]] void fail_with(std::initializer_list<piece> pieces) {
  throw Error(joined(pieces));
}

}  // namespace detail

/// Text from pieces: `text("rank ", 3, " waits")`. Numbers are written in their shortest usual form (six digits for
/// floating point).
template <class... Pieces>
[[nodiscard]] std::string text(const Pieces&... pieces) {
  return detail::joined({pieces...});
}

/// Throws `Error` with the text of all pieces.
template <class Error, class... Pieces>
[[noreturn]] void fail(const Pieces&... pieces) {
  detail::fail_with<Error>({pieces...});
}

/// Throws `Error` with the text of all pieces unless `condition` holds. The pieces are put together only then.
template <class Error, class... Pieces>
void require(bool condition, const Pieces&... pieces) {
  if (!condition) [[unlikely]] {
    detail::fail_with<Error>({pieces...});
  }
}

}  // namespace polder
