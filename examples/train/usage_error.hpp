// What is wrong with a command line.
#pragma once

#include "polder/core/error.hpp"

namespace polder_train {

/// A wrong command line: one sentence that names option, value and what is allowed; exit status 2.
struct usage_error : polder::config_error {
  using config_error::config_error;
};

}  // namespace polder_train
