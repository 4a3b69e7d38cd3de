// polder — whether what computes in a backend's memory does so in the order of the worker's own calls.
#pragma once

#include <concepts>

#include "polder/core/error.hpp"

namespace polder::detail {

/// Throws config_error if `user`, an objective or a test set, has a backend() whose calls are not ordered with those of
/// `backend`: backends of a device compare equal if they share a stream. Those of the host have nothing to compare.
template <class User, class Backend>
void require_same_queue(const User& user, const Backend& backend, const char* what) {
  if constexpr (requires {
                  { user.backend() == backend } -> std::convertible_to<bool>;
                }) {
    require<config_error>(
        user.backend() == backend, "the ", what,
        " computes on another stream than its worker, and neither waits for the other: give it a copy "
        "of the worker's backend");
  }
}

}  // namespace polder::detail
