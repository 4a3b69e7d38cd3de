// polder — the context: what every rule receives in a step.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/comm/communicator.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/schedule.hpp"
#include "polder/objective/late_loss.hpp"
#include "polder/objective/parameters.hpp"
#include "polder/ops/arithmetic.hpp"
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
        weights_(weights) {
    if constexpr (requires { comm_in.attach(backend_in); }) comm_in.attach(backend_in);
  }

  const B& backend;
  C& comm;
  parameters<B, T>& params;
  buffer_t<B, double> gaps;        ///< [workers] squared distances to the mean, as the last reduction left them
  std::uint64_t step = 0;          ///< local updates done before this one
  std::uint64_t round = 0;         ///< communications done before this step
  std::uint64_t total_rounds = 0;  ///< of the run; 0 where unknown
  std::uint64_t total_steps = 0;   ///< of the run; 0 where unknown
  learning_rate rates{};           ///< as a function of the step
  double lr = 0.0;                 ///< learning rate of this step
  late_loss loss;                  ///< of this step's minibatch, before the step; waits if it is late
  double round_lr = 0.0;           ///< sum of the learning rates since the round began, this step's included
  /// The gradient at a point for measurement, on what the objective's `select_probe(step)` selects, else on the step's
  /// minibatch. Costs an evaluation; for mixing rules, when the step's own gradient is used up. Valid until the next step.
  std::function<view<space, const T>(view<space, const T> at)> probe;
  double early_gamma = 0.0;  ///< with which this step's mixing will combine the parameters before the step; 0: not

  [[nodiscard]] const topology::mixing_matrix& weights() const { return weights_; }
  /// What this worker mixes and whom it serves in this round.
  [[nodiscard]] const topology::mixing_row& row() const { return weights_.row(round, comm.rank()); }

  /// The terms of this round's row of W_gamma = I + gamma (W - I), (w_ij, x_j) in rank order with self at its place:
  /// `mine` is published to the out-neighbors, the in-neighbors' vectors arrive. Valid until `release()`, at the latest
  /// until the end of the step. Sends mine.size numbers to each out-neighbor; nothing if the same buffer has been
  /// exchanged in this step and not been released, so that gradient and mixing rules share an exchange.
  ///
  /// Where a rule carries the parameters in messages of its own (`carry_parameters`), the neighbors are its copies x^_j
  /// and W_gamma x = x_i + gamma (sum_j w_ij x^_j - x^_i): self has weight 1, and behind the row stands one term more,
  /// gamma (w_ii - 1) of x^_i. One message in a step, valid until its end.
  [[nodiscard]] std::span<const weighted<space, T>> neighbors(view<space, const T> mine, double gamma = 1.0);
  /// Publishes `mine` now, so that it is on its way while this worker computes; `neighbors(mine)` waits for the others.
  void announce(view<space, const T> mine);
  /// Publishes `mine` to the out-neighbors, which `comm.wait()` returns to them in rank order: bytes of any meaning, at most
  /// `max_bytes` a message, or exactly as many if `fixed_size`. `mine` must stay.
  void post_message(std::span<const std::byte> mine, std::size_t max_bytes, bool fixed_size);

  /// From now on `rule` carries the parameters to the neighbors in place of a plain exchange, and neighbors(params.x())
  /// knows them by copies that both ends keep:
  ///
  ///     rule.send(ctx, state)       posts this worker's message of the step
  ///     rule.receive(ctx, state)    waits for the neighbors' messages, brings all copies up to date, releases
  ///     rule.known(state)           x^_j of this round's row of W in rank order, the worker's own at its place
  ///
  /// For mixing rules, in `begin`; both must stay where they are.
  template <class Rule, class State>
  void carry_parameters(const Rule& rule, State& state) {
    carrier_ = {
        &rule, &state,
        [](const void* r, void* s, context& ctx) { static_cast<const Rule*>(r)->send(ctx, *static_cast<State*>(s)); },
        [](const void* r, void* s, context& ctx) {
          static_cast<const Rule*>(r)->receive(ctx, *static_cast<State*>(s));
          return static_cast<const Rule*>(r)->known(*static_cast<State*>(s));
        }};
  }
  /// Whether the neighbors' parameters are there until the end of the step, even after a release.
  [[nodiscard]] bool keeps_neighbors() const { return carrier_.rule != nullptr; }
  /// What `neighbors` returned has been read.
  void release() {
    if (exchanged_ == nullptr) return;
    exchanged_ = nullptr;
    comm.release();
  }

  /// Writes the mixture of the parameters before the step, W_gamma x with gamma = early_gamma, to `params.next()`, where
  /// the mixing rule finds it: for gradient rules that must release the neighbors' parameters to go on talking. A sum
  /// in place of K copies: 8 bytes per float32 parameter more than if the parameters were kept, whatever K is. (The
  /// communicator could hold them through the next exchange only at the price of K more vectors under MPI.)
  view<space, const T> keep_mixture() {
    backend.combine(neighbors(params.x(), early_gamma), ops::assign{}, out(params.writable_next(comm)));
    has_mixture_ = true;
    return params.next();
  }
  [[nodiscard]] bool has_mixture() const { return has_mixture_; }

  /// Nothing of this step is held any more, and the next one begins.
  void end_step() {
    release();
    has_mixture_ = false;
    carried_ = {};
    ++step;
  }

  /// The mean of `x` over all workers; keeps the squared distances to it in `gaps`. Valid until `comm.release()`.
  [[nodiscard]] view<space, const T> mean(view<space, const T> x) {
    release();
    const auto reduced = comm.all_reduce_mean(backend, x, step);
    backend.copy(reduced.gaps, gaps.view());
    return reduced.mean;
  }
  /// v <- (1/M) sum_m v_m; the squared distances in `gaps` stay those of the parameters.
  void replace_by_mean(view<space, T> v) {
    release();
    backend.copy(comm.all_reduce_mean(backend, v.as_const(), step).mean, v);
    comm.release();
  }
  /// What each worker gives, in rank order and on every worker: numbers on the host that rules decide by. Valid until the
  /// next call.
  [[nodiscard]] std::span<const double> gather(std::span<const double> mine) {
    release();
    gathered_.resize(mine.size() * static_cast<std::size_t>(comm.size()));
    comm.all_gather(std::as_bytes(mine), std::as_writable_bytes(std::span(gathered_)));
    return gathered_;
  }
  /// Where this worker's own squared distance to the last mean lies, for element functions.
  [[nodiscard]] const double* own_gap() { return gaps.view().data + comm.rank(); }

 private:
  struct carrier {
    const void* rule = nullptr;
    void* state = nullptr;
    void (*send)(const void*, void*, context&) = nullptr;
    std::span<const view<space, const T>> (*receive)(const void*, void*, context&) = nullptr;
  };
  [[nodiscard]] bool is_carried(view<space, const T> mine) const {
    return keeps_neighbors() && mine.data == params.x().data;
  }
  [[nodiscard]] std::span<const weighted<space, T>> carried_neighbors(view<space, const T> mine, double gamma);

  const topology::mixing_matrix& weights_;
  std::vector<outgoing> sends_;
  std::vector<incoming> receives_;
  std::vector<weighted<space, T>> terms_;
  std::vector<double> gathered_;
  const T* exchanged_ = nullptr;  // the buffer whose exchange is under way or held
  carrier carrier_;
  std::span<const view<space, const T>> carried_;  // what this step's messages made of the copies; empty before them
  bool has_mixture_ = false;
};

template <tensor_backend B, communicator C, class T>
void context<B, C, T>::announce(view<space, const T> mine) {
  if (exchanged_ == mine.data) return;
  if (is_carried(mine)) {
    if (!carried_.empty()) return;
    release();
    carrier_.send(carrier_.rule, carrier_.state, *this);
    exchanged_ = mine.data;
    return;
  }
  release();
  sends_.clear();
  receives_.clear();
  terms_.clear();
  for (const int peer : row().targets) sends_.push_back(send_to(peer, mine));
  for (const int peer : row().sources) {
    if (peer != comm.rank()) receives_.push_back({peer, mine.size * sizeof(T)});
  }
  comm.post({sends_, receives_, step, true});
  exchanged_ = mine.data;
}

template <tensor_backend B, communicator C, class T>
void context<B, C, T>::post_message(std::span<const std::byte> mine, std::size_t max_bytes, bool fixed_size) {
  release();
  sends_.clear();
  receives_.clear();
  for (const int peer : row().targets) sends_.push_back({peer, mine.data(), mine.size()});
  for (const int peer : row().sources) {
    if (peer != comm.rank()) receives_.push_back({peer, max_bytes});
  }
  comm.post({sends_, receives_, step, fixed_size});
}

template <tensor_backend B, communicator C, class T>
std::span<const weighted<typename B::space, T>> context<B, C, T>::neighbors(view<space, const T> mine, double gamma) {
  announce(mine);
  if (is_carried(mine)) return carried_neighbors(mine, gamma);
  const topology::mixing_row& mixed = row();
  if (terms_.empty()) {
    const std::span<const message> arrived = comm.wait();
    for (std::size_t k = 0, next = 0; k < mixed.sources.size(); ++k) {
      terms_.push_back({k == mixed.self ? mine : as_vector<space, T>(arrived[next++]), 0.0});
    }
  }
  for (std::size_t k = 0; k < terms_.size(); ++k) {
    const double weight = mixed.weights[k];
    terms_[k].weight = k != mixed.self ? gamma * weight : gamma == 1.0 ? weight : 1.0 + gamma * (weight - 1.0);
  }
  return terms_;
}

template <tensor_backend B, communicator C, class T>
std::span<const weighted<typename B::space, T>> context<B, C, T>::carried_neighbors(view<space, const T> mine,
                                                                                    double gamma) {
  if (carried_.empty()) {
    carried_ = carrier_.receive(carrier_.rule, carrier_.state, *this);
    exchanged_ = nullptr;
  }
  const topology::mixing_row& mixed = row();
  terms_.clear();
  for (std::size_t k = 0; k < mixed.sources.size(); ++k) {
    terms_.push_back(k == mixed.self ? weighted<space, T>{mine, 1.0}
                                     : weighted<space, T>{carried_[k], gamma * mixed.weights[k]});
  }
  terms_.push_back({carried_[mixed.self], gamma * (mixed.self_weight() - 1.0)});
  return terms_;
}

}  // namespace polder
