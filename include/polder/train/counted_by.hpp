// polder — what a run's communicator and compressors have counted.
#pragma once

#include <span>
#include <string_view>

#include "polder/train/evaluation.hpp"

namespace polder::detail {

/// The bytes that a counting communicator has sent, the numbers that rules gather included; 0 for one that does not count.
template <class C>
[[nodiscard]] double sent_by(const C& comm) {
  if constexpr (requires { comm.bytes_sent(); }) {
    return static_cast<double>(comm.bytes_sent() + comm.control().bytes);
  } else {
    return 0.0;
  }
}

/// What the `measured` compressors in a worker's rules have counted; `rule` is "mixing." or "gradient.".
template <class Worker>
[[nodiscard]] compression_sums measured_by(Worker& worker, std::string_view rule) {
  compression_sums all;
  worker.visit([&](std::string_view name, auto&& state) {
    if constexpr (requires { state.data; }) {
      if (!name.starts_with(rule) || !name.ends_with("measured")) return;
      double sums[3] = {};
      worker.backend().to_host(state.as_const(), std::span<double>(sums));
      all += {sums[0], sums[1], sums[2]};
    }
  });
  return all;
}

}  // namespace polder::detail
