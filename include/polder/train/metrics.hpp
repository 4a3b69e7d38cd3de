// polder — what is measured during a run: agreement of the workers and hashes of their parameters.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/comm/communicator.hpp"
#include "polder/io/checksum.hpp"
#include "polder/ops/arithmetic.hpp"
#include "polder/ops/pulls.hpp"

namespace polder {

/// How far the workers are from their mean.
struct agreement {
  double consensus_distance = 0.0;  ///< sqrt((1/M) sum_m ||x_m - x_A||^2)
  double valley_width = 0.0;        ///< (1/M) sum_m ||x_m - x_A||
};

/// Both from the squared distances to the mean.
[[nodiscard]] inline agreement agreement_of(std::span<const double> squared_gaps) {
  agreement result;
  for (const double gap : squared_gaps) {
    result.consensus_distance += gap;
    result.valley_width += std::sqrt(gap);
  }
  const auto workers = static_cast<double>(squared_gaps.size());
  return {std::sqrt(result.consensus_distance / workers), result.valley_width / workers};
}

/// One number of each worker, in rank order, on every worker.
template <communicator C, class Number>
[[nodiscard]] std::vector<Number> gather(C& comm, Number mine) {
  std::vector<Number> all(static_cast<std::size_t>(comm.size()));
  comm.all_gather(std::as_bytes(std::span<const Number>(&mine, 1)), std::as_writable_bytes(std::span<Number>(all)));
  return all;
}

/// Reduces `x` over all workers outside the accounting of bytes, calls visit(mean) while the mean is there, and returns
/// how far the workers are from it. All workers must call it together.
template <tensor_backend B, communicator C, class T, class Visit>
agreement measure(const B& backend, C& comm, view<typename B::space, const T> x, std::uint64_t step, Visit&& visit) {
  auto& quiet = uncounted(comm);
  const auto reduced = quiet.all_reduce_mean(backend, x, step);
  std::vector<double> gaps(reduced.gaps.size);
  backend.to_host(reduced.gaps, std::span<double>(gaps));
  visit(reduced.mean);
  quiet.release();
  return agreement_of(gaps);
}

/// The length of the mean unit direction of the gaps, ||(1/M) sum_m u_m|| with u_m = (x_m - x_A) / ||x_m - x_A||: 0 where
/// the directions cancel. A truncated push of lambda moves the mean by lambda times that in a round. Workers whose gap is
/// no more than rounding have no direction. Outside the accounting of bytes: two reductions, n numbers of scratch. All
/// workers must call it together.
template <tensor_backend B, communicator C, class T>
[[nodiscard]] double mean_direction(const B& backend, C& comm, view<typename B::space, const T> x, std::uint64_t step) {
  auto& quiet = uncounted(comm);
  auto number = backend.template zeros<double>(1);
  const auto squared_norm_of = [&](view<typename B::space, const T> v) {
    backend.sum(v.size, ops::square{}, number.view(), in(v));
    double squared = 0.0;
    backend.to_host(number.view().as_const(), std::span<double>(&squared, 1));
    return squared;
  };
  auto u = backend.template zeros<T>(x.size);
  const auto reduced = quiet.all_reduce_mean(backend, x, step);
  std::vector<double> gaps(reduced.gaps.size);
  backend.to_host(reduced.gaps, std::span<double>(gaps));
  const double r = std::sqrt(gaps[static_cast<std::size_t>(comm.rank())]);
  const double rounding =
      (comm.size() + 2) * std::numeric_limits<double>::epsilon() * std::sqrt(squared_norm_of(reduced.mean));
  backend.map(x.size, ops::displace::scaled{r > rounding ? 1.0 / r : 0.0}, in(x), in(reduced.mean), out(u.view()));
  quiet.release();
  const double length = std::sqrt(squared_norm_of(quiet.all_reduce_mean(backend, u.view().as_const(), step).mean));
  quiet.release();
  return length;
}

/// A hash of parameters: differs as soon as one bit differs.
template <class T>
[[nodiscard]] std::uint64_t hash_of(std::span<const T> x) {
  return io::checksum64({reinterpret_cast<const std::uint8_t*>(x.data()), x.size_bytes()});
}

/// The hash of the workers' hashes in rank order: one number for the parameters of a whole run, the same for every
/// communicator. All workers must call it together.
template <communicator C, class T>
[[nodiscard]] std::uint64_t param_hash(C& comm, std::span<const T> x) {
  const std::vector<std::uint64_t> all = gather(uncounted(comm), hash_of(x));
  return hash_of(std::span<const std::uint64_t>(all));
}

}  // namespace polder
