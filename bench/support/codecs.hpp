// The compressors that the benchmarks compare, each at work on the same numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "polder/backend/host_memory.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/half.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/random_k.hpp"
#include "polder/compress/raw.hpp"
#include "polder/compress/sign.hpp"
#include "polder/compress/top_k.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/random.hpp"

namespace polder::bench {

/// Calls visit(name, compressor) for each.
template <class Visit>
void for_each_codec(const Visit& visit) {
  visit("raw", raw{});
  visit("half_bf16", half{});
  visit("half_fp16", half{half_format::fp16});
  visit("sign", sign{});
  visit("top_k_1_percent", top_k{0.01});
  visit("top_k_25_percent", top_k{0.25});
  visit("random_k_1_percent", random_k{0.01});
  visit("random_k_25_percent", random_k{0.25});
  visit("qsgd_8", qsgd{});
  visit("qsgd_8_buckets_of_512", qsgd{.bucket = 512});
  visit("qsgd_4", qsgd{.bits = 4});
  visit("qsgd_4_sign_beside", qsgd{.bits = 4, .levels = qsgd::level_mode::sign_beside});
  visit("error_feedback_sign", error_feedback{sign{}});
  visit("error_feedback_qsgd_4", error_feedback{qsgd{.bits = 4, .scale = scaling::contraction}});
  visit("error_feedback_top_k_1_percent", error_feedback{top_k{0.01}});
}

[[nodiscard]] inline host_buffer<float> normal_numbers(std::size_t n) {
  random_stream random({.seed = 1, .purpose = purpose::test});
  host_buffer<float> x(n);
  for (std::size_t i = 0; i < n; ++i) x.data()[i] = static_cast<float>(random.normal());
  return x;
}

/// A compressor with its memory, a vector that it encodes and one to which it adds what it decodes.
template <class K>
class codec_at_work {
 public:
  codec_at_work(const K& k, std::size_t n)
      : k_(k),
        tensors_(n),
        x_(normal_numbers(n)),
        y_(n),
        wire_(k.template max_bytes<float>(tensors_)),
        memory_(k.template init<float>(tensors_)) {}

  void encode() {
    sent_ = k_.template compress<float>(memory_, std::span<const float>(x_.data(), x_.size()), tensors_,
                                        {.step = ++step_}, std::span<std::byte>(wire_.data(), wire_.size()));
  }
  void decode_add() {
    k_.template decompress_add<float>(std::span<const std::byte>(wire_.data(), sent_), tensors_, 1.0 / 3.0,
                                      std::span<float>(y_.data(), y_.size()));
  }
  /// Bytes of the last message.
  [[nodiscard]] std::size_t sent() const { return sent_; }
  [[nodiscard]] float* x() { return x_.data(); }
  [[nodiscard]] std::size_t size() const { return x_.size(); }

 private:
  K k_;
  layout tensors_;
  host_buffer<float> x_;
  host_buffer<float> y_;
  host_buffer<std::byte> wire_;
  compressor_state_t<K, float> memory_;
  std::uint64_t step_ = 0;
  std::size_t sent_ = 0;
};

}  // namespace polder::bench
