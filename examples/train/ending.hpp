// How a program ends: its exit status, and one sentence where it failed.
#pragma once

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include "polder/core/error.hpp"

namespace polder_train {

/// 0 done, 1 failed, 2 wrong use; a sentence for the last two.
struct ending {
  int status = 0;
  std::string sentence;
};

template <class Action>
ending guarded(Action&& action) {
  try {
    action();
    return {};
  } catch (const polder::config_error& e) {
    return {2, e.what()};
  } catch (const std::exception& e) {
    return {1, e.what()};
  }
}

/// Prints what stdout ends with. Throws data_error if it, or what was printed before, does not get there: a full disk must
/// not look like a finished run.
inline void print_last_line(const std::string& line) {
  std::printf("%s\n", line.c_str());
  const bool arrived = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  const int code = errno;
  polder::require<polder::data_error>(arrived, "cannot write the numbers to stdout: ", std::strerror(code));
}

inline void complain(const char* program, const ending& end) {
  std::fprintf(stderr, "%s: %s\n", program, end.sentence.c_str());
}

}  // namespace polder_train
