// polder — what the mixing rules that send compressed messages have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/comm/communicator.hpp"
#include "polder/compress/compressor.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/topology/mixing_matrix.hpp"
#include "polder/topology/requirements.hpp"

namespace polder::detail {

/// A compressor's side of a mixing rule: its memory, and the message that neighbors read.
template <class Compressor, class T>
struct message_maker {
  layout tensors;
  compressor_state_t<Compressor, T> memory;
  std::vector<std::byte> message;  // as large as the largest
  std::size_t bytes = 0;           // of the message of this round

  message_maker(const Compressor& compressor, const layout& of)
      : tensors(of), memory(compressor.template init<T>(of)), message(compressor.template max_bytes<T>(of)) {}

  /// Writes the message of this round, once nobody reads the one before.
  template <class Context>
  void compress(Context& ctx, const Compressor& compressor, std::uint64_t seed, std::span<const T> x) {
    ctx.comm.reclaim(message.data());
    const stamp which{seed, ctx.step, static_cast<std::uint32_t>(ctx.comm.rank()), 0};
    bytes = compressor.template compress<T>(memory, x, tensors, which, message);
  }
  /// Sends the message to the out-neighbors and calls visit(weight, is own, bytes) for those of this round's row of W in
  /// rank order, the worker's own at its place.
  template <class Context, class Visit>
  void exchange(Context& ctx, const Compressor&, const Visit& visit) {
    const std::span<const std::byte> own(message.data(), bytes);
    const auto arrived = ctx.messages(own, message.size(), Compressor::fixed_size);
    const topology::mixing_row& row = ctx.row();
    std::size_t next = 0;
    for (std::size_t k = 0; k < row.sources.size(); ++k) {
      if (k == row.self) {
        visit(row.weights[k], true, own);
      } else {
        const polder::message& m = arrived[next++];
        visit(row.weights[k], false, std::span<const std::byte>(m.data, m.bytes));
      }
    }
    ctx.comm.release();
  }
};

/// Both loops feed back what a compressor loses: they count on errors that are smaller than what is sent. With an
/// error_feedback inside, every error would be sent twice: what choco then compresses, x - x^ + e, holds the last error
/// twice and takes the one before away.
template <class Compressor>
void require_contraction(const Compressor& compressor, const char* rule) {
  static_assert(!is_error_feedback<Compressor>,
                "an error_feedback inside choco or deep_squeeze: both send what a message left out with the next one "
                "already; name the compressor itself");
  if constexpr (requires { compressor.scale == scaling::contraction; }) {
    require<config_error>(
        compressor.scale == scaling::contraction, rule,
        ": the compressor is unbiased, and its errors may be larger than what it sends: set its scale "
        "to scaling::contraction");
  }
}

/// What compressed gossip needs of a mixing matrix.
inline void check_for_compression(const topology::mixing_matrix& weights, const char* rule) {
  require<config_error>(weights.period() == 1, rule, ": the graph ", weights.on().name(), " changes over ",
                        weights.period(),
                        " phases, but what neighbors are known to have is kept as one weighted sum: take a graph that "
                        "stays");
  topology::check(weights, {.symmetric = true, .because = "compression errors cancel over each edge only then"});
}

}  // namespace polder::detail
