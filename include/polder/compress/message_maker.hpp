// polder — a compressor at work in a rule: its memory, and the message that a neighbor reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polder/comm/communicator.hpp"
#include "polder/compress/compressor.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/measured.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"

namespace polder::detail {

/// One sequence of messages: what the compressor remembers of it, and the memory of the message under way.
template <class Compressor, class T>
struct message_maker {
  layout tensors;
  compressor_state_t<Compressor, T> memory;
  std::vector<std::byte> message;  // as large as the largest
  std::size_t bytes = 0;           // of the message of this step

  message_maker(const Compressor& compressor, const layout& of)
      : tensors(of), memory(compressor.template init<T>(of)), message(compressor.template max_bytes<T>(of)) {}

  /// Writes the message of this step, once nobody reads the one before. `edge` tells apart what one worker sends in a step.
  template <class Context>
  void compress(Context& ctx, const Compressor& compressor, std::uint64_t seed, std::span<const T> x,
                std::uint32_t edge = 0) {
    ctx.comm.reclaim(message.data());
    const stamp which{seed, ctx.step, static_cast<std::uint32_t>(ctx.comm.rank()), edge};
    bytes = compressor.template compress<T>(memory, x, tensors, which, message);
  }
  [[nodiscard]] std::span<const std::byte> made() const { return {message.data(), bytes}; }

  /// Sends the message to the out-neighbors.
  template <class Context>
  void post(Context& ctx) const {
    ctx.post_message(made(), message.size(), Compressor::fixed_size);
  }
  /// Calls visit(weight, is own, bytes) for the messages of this round's row of W in rank order, the worker's own at its
  /// place.
  template <class Context, class Visit>
  void receive(Context& ctx, const Visit& visit) const {
    const std::span<const polder::message> arrived = ctx.comm.wait();
    const auto& row = ctx.row();
    std::size_t next = 0;
    for (std::size_t k = 0; k < row.sources.size(); ++k) {
      const bool own = k == row.self;
      const std::span<const std::byte> sent =
          own ? made() : std::span<const std::byte>(arrived[next].data, arrived[next].bytes);
      if (!own) ++next;
      visit(row.weights[k], own, sent);
    }
    ctx.comm.release();
  }
  template <class Context, class Visit>
  void exchange(Context& ctx, const Visit& visit) const {
    post(ctx);
    receive(ctx, visit);
  }
};

template <class Compressor>
void require_contraction(const error_feedback<Compressor>& compressor, const char* rule);
template <class Compressor>
void require_contraction(const measured<Compressor>& compressor, const char* rule);

/// Whoever feeds back what a compressor loses counts on errors that are smaller than what is sent.
template <class Compressor>
void require_contraction(const Compressor& compressor, const char* rule) {
  if constexpr (requires { compressor.scale == scaling::contraction; }) {
    require<config_error>(
        compressor.scale == scaling::contraction, rule,
        ": the compressor is unbiased, and its errors may be larger than what it sends: set its scale "
        "to scaling::contraction");
  }
}
template <class Compressor>
void require_contraction(const error_feedback<Compressor>& compressor, const char* rule) {
  require_contraction(compressor.inner, rule);
}
template <class Compressor>
void require_contraction(const measured<Compressor>& compressor, const char* rule) {
  require_contraction(compressor.inner, rule);
}

}  // namespace polder::detail
