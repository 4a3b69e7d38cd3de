// How a program ends: its exit status, and one sentence where it failed.
#pragma once

#include <cstdio>
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

inline void complain(const char* program, const ending& end) {
  std::fprintf(stderr, "%s: %s\n", program, end.sentence.c_str());
}

}  // namespace polder_train
