// polder — the context: what every rule receives in a step.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/comm/communicator.hpp"
#include "polder/core/layout.hpp"
#include "polder/objective/parameters.hpp"
#include "polder/topology/mixing_matrix.hpp"

namespace polder {

/// The state of a rule on backend B with numbers of type T, as `rule.init<T>(backend, layout)` returns it.
template <class Rule, class B, class T>
using state_t =
    decltype(std::declval<const Rule&>().template init<T>(std::declval<const B&>(), std::declval<const layout&>()));

/// What every rule receives: where numbers live, whom to talk to, and where the run stands.
///
/// A step is one local update (t = 0, 1, …); a round is one communication (k = 0, 1, …).
template <tensor_backend B, communicator C, class T>
class context {
 public:
  using backend_type = B;
  using communicator_type = C;
  using value_type = T;
  using space = typename B::space;

  context(const B& backend_in, C& comm_in, const topology::mixing_matrix& weights, parameters<B, T>& params_in)
      : backend(backend_in),
        comm(comm_in),
        params(params_in),
        gaps(backend_in.template zeros<double>(static_cast<std::size_t>(comm_in.size()))),
        weights_(weights) {}

  const B& backend;
  C& comm;
  parameters<B, T>& params;
  buffer_t<B, double> gaps;        ///< [workers] squared distances to the mean, as the last reduction left them
  std::uint64_t step = 0;          ///< local updates done before this one
  std::uint64_t round = 0;         ///< communications done before this step
  std::uint64_t total_rounds = 0;  ///< of the run; 0 where unknown
  double lr = 0.0;                 ///< learning rate of this step
  double round_lr = 0.0;           ///< sum of the learning rates since the round began, this step's included

  /// The terms of this round's row of W_gamma = I + gamma (W - I), (w_ij, x_j) in rank order with self at its place:
  /// `mine` is published to the out-neighbors, the in-neighbors' vectors arrive. Valid until `comm.release()`.
  /// Sends mine.size numbers to each out-neighbor.
  [[nodiscard]] std::span<const weighted<space, T>> neighbors(view<space, const T> mine, double gamma = 1.0);

  /// The mean of `x` over all workers; keeps the squared distances to it in `gaps`. Valid until `comm.release()`.
  [[nodiscard]] view<space, const T> mean(view<space, const T> x) {
    const auto reduced = comm.all_reduce_mean(backend, x, step);
    backend.copy(reduced.gaps, gaps.view());
    return reduced.mean;
  }
  /// Where this worker's own squared distance to the last mean lies, for element functions.
  [[nodiscard]] const double* own_gap() { return gaps.view().data + comm.rank(); }

 private:
  const topology::mixing_matrix& weights_;
  std::vector<outgoing> sends_;
  std::vector<incoming> receives_;
  std::vector<weighted<space, T>> terms_;
};

template <tensor_backend B, communicator C, class T>
std::span<const weighted<typename B::space, T>> context<B, C, T>::neighbors(view<space, const T> mine, double gamma) {
  const topology::mixing_row& row = weights_.row(round, comm.rank());
  sends_.clear();
  receives_.clear();
  terms_.clear();
  for (const int peer : row.targets) sends_.push_back(send_to(peer, mine));
  for (const int peer : row.sources) {
    if (peer != comm.rank()) receives_.push_back({peer, mine.size * sizeof(T)});
  }
  comm.post({sends_, receives_, step, true});
  const std::span<const message> arrived = comm.wait();
  std::size_t next = 0;
  for (std::size_t k = 0; k < row.sources.size(); ++k) {
    const double own = gamma == 1.0 ? row.weights[k] : 1.0 + gamma * (row.weights[k] - 1.0);
    if (k == row.self) {
      terms_.push_back({mine, own});
    } else {
      terms_.push_back({as_vector<space, T>(arrived[next++]), gamma * row.weights[k]});
    }
  }
  return terms_;
}

}  // namespace polder
