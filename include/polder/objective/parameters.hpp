// polder — the parameters of one worker: a few buffers that change roles, so that nothing is ever copied back.
#pragma once

#include <array>
#include <cstddef>
#include <utility>

#include "polder/backend/tensor_backend.hpp"
#include "polder/comm/communicator.hpp"

namespace polder {

/// The buffers of one worker's parameters and the roles they play in a step:
///
///   x       the parameters before the step; whole until the step is over
///   half    where the local step is written; before that, SAM's ascent point (no clone, no restore)
///   next    where the mixing pass writes; before that, the mixture of the parameters before the step if a gradient rule
///           has made it
///   anchor  the parameters at the start of the round, for update rules that watch what a whole round did: x itself in
///           a round of one step, a fourth buffer in longer ones
///
/// Steps end by changing roles. Buffers are allocated on first use: a rule that never writes `next` never pays for it.
/// A buffer that was published is handed out for writing only after the communicator has reclaimed it from its readers;
/// what was published last is the last to be written again, so that this wait is short (but for gossip of the parameters
/// before the step, whose buffer takes the next half step).
template <tensor_backend B, class T>
class parameters {
 public:
  using space = typename B::space;

  parameters(const B& backend, std::size_t size) : backend_(&backend), size_(size) { reserve(x_); }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] view<space, const T> x() const { return buffers_[x_].view(); }
  [[nodiscard]] view<space, const T> half() const { return buffers_[half_].view(); }
  [[nodiscard]] view<space, const T> next() const { return buffers_[next_].view(); }
  [[nodiscard]] view<space, const T> anchor() const { return buffers_[apart_ ? fourth_ : x_].view(); }

  template <communicator C>
  [[nodiscard]] view<space, T> writable_x(C& comm) {
    return writable(x_, comm);
  }
  template <communicator C>
  [[nodiscard]] view<space, T> writable_half(C& comm) {
    return writable(half_, comm);
  }
  template <communicator C>
  [[nodiscard]] view<space, T> writable_next(C& comm) {
    return writable(next_, comm);
  }

  /// The step ends with mixing, and with it the round: x <- next.
  void adopt_next() {
    const std::size_t before = x_;
    x_ = next_;
    next_ = half_;
    half_ = before;
    apart_ = false;
  }
  /// The step ends, and with it the round, without mixing: x <- half.
  void adopt_half() {
    std::swap(x_, half_);
    apart_ = false;
  }
  /// The step ends inside a round: x <- half. `keep_anchor` sets the parameters at the start of the round aside.
  void continue_round(bool keep_anchor) {
    const bool leaving_anchor = keep_anchor && !apart_;
    std::swap(x_, half_);
    if (leaving_anchor) {
      std::swap(half_, fourth_);
      apart_ = true;
    }
  }

  /// Whether the anchor is a buffer of its own, which a checkpoint must hold as well.
  [[nodiscard]] bool anchored_apart() const { return apart_; }
  /// The anchor's own buffer.
  [[nodiscard]] view<space, T> writable_anchor() { return buffers_[fourth_].view(); }
  /// Gives the anchor a buffer of its own and returns it, to be filled from a checkpoint.
  [[nodiscard]] view<space, T> detach_anchor() {
    apart_ = true;
    reserve(fourth_);
    return buffers_[fourth_].view();
  }

 private:
  void reserve(std::size_t buffer) {
    if (buffers_[buffer].size() != size_) buffers_[buffer] = backend_->template zeros<T>(size_);
  }
  template <class C>
  view<space, T> writable(std::size_t buffer, C& comm) {
    reserve(buffer);
    comm.reclaim(buffers_[buffer].view().data);
    return buffers_[buffer].view();
  }

  const B* backend_;
  std::size_t size_;
  std::array<buffer_t<B, T>, 4> buffers_{};
  std::size_t x_ = 0, half_ = 1, next_ = 2, fourth_ = 3;
  bool apart_ = false;
};

}  // namespace polder
