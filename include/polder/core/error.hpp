// polder — the errors it throws. Each message names the value that is wrong and what to do about it.
#pragma once

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

inline void append(std::string& to, std::string_view text) { to += text; }
inline void append(std::string& to, char c) { to += c; }
template <class Number>
  requires std::is_arithmetic_v<Number>
void append(std::string& to, Number number) {
  if constexpr (std::is_same_v<Number, bool>) {
    to += number ? "true" : "false";
  } else if constexpr (std::is_floating_point_v<Number>) {
    char digits[40];
    const int length = __builtin_snprintf(digits, sizeof digits, "%.6g", static_cast<double>(number));
    to.append(digits, static_cast<std::size_t>(length));
  } else {
    to += std::to_string(number);
  }
}

}  // namespace detail

/// Text from pieces: `text("rank ", 3, " waits")`. Numbers are written in their shortest usual form (six digits for
/// floating point).
template <class... Pieces>
[[nodiscard]] std::string text(const Pieces&... pieces) {
  std::string whole;
  (detail::append(whole, pieces), ...);
  return whole;
}

/// Throws `Error` with the text of all pieces.
template <class Error, class... Pieces>
[[noreturn]] void fail(const Pieces&... pieces) {
  throw Error(text(pieces...));
}

/// Throws `Error` with the text of all pieces unless `condition` holds. The pieces are put together only then.
template <class Error, class... Pieces>
void require(bool condition, const Pieces&... pieces) {
  if (!condition) [[unlikely]] {
    fail<Error>(pieces...);
  }
}

}  // namespace polder
