// polder — the way back of cross-gradients: as they are, or compressed with a memory for each neighbor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/comm/communicator.hpp"
#include "polder/compress/compressor.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/message_maker.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/view.hpp"

namespace polder::detail {

/// Sends a worker's gradients at its neighbors' parameters back to them.
template <class Compressor, class B, class T>
class way_back {
  using space = typename B::space;
  static_assert(std::is_same_v<space, host_space>, "cross_gradients compresses in host memory");
  static_assert(compressor<Compressor, T>,
                "the second parameter of cross_gradients is a compressor or uncompressed; see docs/reference/parts.md");

 public:
  /// `with_own`: whether the worker's own gradient is compressed, too.
  way_back(const Compressor& compressor, const layout& tensors, bool with_own) : tensors_(tensors) {
    (void)compressor.template init<T>(tensors);
    if constexpr (requires { compressor.inner; }) require_contraction(compressor, "cross_gradients");
    if (with_own) own_.emplace(compressor, tensors);
  }
  template <class Context>
  void begin(Context& ctx, const Compressor& compressor) {
    for (const int peer : ctx.row().sources) {
      if (peer != ctx.comm.rank()) links_.push_back({peer, message_maker<Compressor, T>(compressor, tensors_)});
    }
  }

  /// gradients[k], which go to the k-th neighbor, become what the neighbors sent; with `keep` they stay as they are.
  /// Returns what the neighbors sent, in rank order.
  template <class Context>
  std::span<const view<space, const T>> exchange(Context& ctx, const Compressor& compressor, std::uint64_t seed,
                                                 std::span<buffer_t<B, T>> gradients, bool keep) {
    sends_.clear();
    receives_.clear();
    for (std::size_t k = 0; k < links_.size(); ++k) {
      auto& [peer, maker] = links_[k];
      maker.compress(ctx, compressor, seed, gradients[k].view().as_const(), edge_to(peer));
      sends_.push_back({peer, maker.message.data(), maker.bytes});
      receives_.push_back({peer, maker.message.size()});
    }
    ctx.comm.post({sends_, receives_, ctx.step, Compressor::fixed_size});
    const std::span<const message> arrived = ctx.comm.wait();
    returned_.clear();
    for (std::size_t k = 0; k < links_.size(); ++k) {
      if (keep && decoded_.size() == k) decoded_.push_back(ctx.backend.template zeros<T>(tensors_.size()));
      const view<space, T> to = keep ? decoded_[k].view() : gradients[k].view();
      compressor.template decompress<T>({arrived[k].data, arrived[k].bytes}, tensors_, to);
      returned_.push_back(to);
    }
    ctx.comm.release();
    return returned_;
  }
  /// g <- C(g) with a memory of its own, as if it were sent.
  template <class Context>
  void replace(Context& ctx, const Compressor& compressor, std::uint64_t seed, view<space, T> g) {
    own_->compress(ctx, compressor, seed, g.as_const(), edge_to(ctx.comm.rank()));
    compressor.template decompress<T>(own_->made(), tensors_, g);
  }
  /// What `exchange` returned has been read.
  template <class Communicator>
  void done(Communicator&) {}

  template <class Visitor>
  void visit(Visitor&& visitor) {
    if (own_) own_->memory.visit([&](const auto& name, auto values) { visitor(text("own.", name), values); });
    for (auto& [peer, maker] : links_) {
      maker.memory.visit(
          [&, to = peer](const auto& name, auto values) { visitor(text("to.", to, ".", name), values); });
    }
  }

 private:
  struct link {
    int peer;
    message_maker<Compressor, T> maker;
  };
  /// Apart from edge 0, on which the parameters travel.
  static std::uint32_t edge_to(int peer) { return 1 + static_cast<std::uint32_t>(peer); }

  layout tensors_;
  std::optional<message_maker<Compressor, T>> own_;
  std::vector<link> links_;  // in rank order
  std::vector<buffer_t<B, T>> decoded_;
  std::vector<outgoing> sends_;
  std::vector<incoming> receives_;
  std::vector<view<space, const T>> returned_;
};

/// Without a compressor the neighbors read the gradients where they are.
template <class B, class T>
class way_back<uncompressed, B, T> {
  using space = typename B::space;

 public:
  way_back(uncompressed, const layout&, bool with_own) {
    require<config_error>(!with_own,
                          "cross_gradients: compress_own is set but there is no compressor: name one, or leave "
                          "the own gradient as it is");
  }
  template <class Context>
  void begin(Context&, uncompressed) {}

  template <class Context>
  std::span<const view<space, const T>> exchange(Context& ctx, uncompressed, std::uint64_t,
                                                 std::span<buffer_t<B, T>> gradients, bool) {
    sends_.clear();
    receives_.clear();
    for (const int peer : ctx.row().sources) {
      if (peer == ctx.comm.rank()) continue;
      sends_.push_back(send_to(peer, gradients[sends_.size()].view()));
      receives_.push_back({peer, sends_.back().bytes});
    }
    ctx.comm.post({sends_, receives_, ctx.step, true});
    returned_.clear();
    for (const message& m : ctx.comm.wait()) returned_.push_back(as_vector<space, T>(m));
    return returned_;
  }
  template <class Context>
  void replace(Context&, uncompressed, std::uint64_t, view<space, T>) {}
  template <class Communicator>
  void done(Communicator& comm) {
    comm.release();
  }

  template <class Visitor>
  void visit(Visitor&&) {}

 private:
  std::vector<outgoing> sends_;
  std::vector<incoming> receives_;
  std::vector<view<space, const T>> returned_;
};

}  // namespace polder::detail
