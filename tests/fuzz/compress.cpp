// Any bytes as a compressed message, with the header that each decoder expects and the right check sum, so that the
// fuzzer is not stopped by them: the numbers that come out are finite, or a compress_error says what is wrong.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "polder/compress/error_feedback.hpp"
#include "polder/compress/half.hpp"
#include "polder/compress/message.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/random_k.hpp"
#include "polder/compress/raw.hpp"
#include "polder/compress/sign.hpp"
#include "polder/compress/top_k.hpp"
#include "polder/core/layout.hpp"

namespace {

using namespace polder;

layout small_layout() {
  layout tensors;
  tensors.add("one", {1});
  tensors.add("none", {0});
  tensors.add("eleven", {11});
  tensors.add("many", {3, 50});
  return tensors;
}

template <class T, class K>
void decode(const K& k, const std::vector<std::byte>& message, const layout& tensors) {
  std::vector<T> y(tensors.size());
  try {
    k.template decompress<T>(message, tensors, y);
  } catch (const compress_error&) {
    return;
  }
  if (!std::ranges::all_of(y, [](T value) { return std::isfinite(value); })) __builtin_trap();
  std::vector<T> sum(tensors.size(), T(0));
  k.template decompress_add<T>(message, tensors, 1.0, sum);
  if (sum != y) __builtin_trap();
}

/// The input as a whole message, and as the payload behind a header of this compressor.
template <class T, class K>
void try_decoder(const K& k, const std::vector<std::byte>& input) {
  const layout tensors = small_layout();
  decode<T>(k, input, tensors);
  std::vector<std::byte> message = input;
  const auto seal = [&] {
    const std::uint64_t sum = detail::message_checksum(message);
    std::memcpy(message.data() + message_header_bytes - 8, &sum, 8);
    decode<T>(k, message, tensors);
  };
  if (message.size() >= message_header_bytes) seal();
  auto state = k.template init<T>(tensors);
  message.resize(k.template max_bytes<T>(tensors));
  const std::vector<T> zero(tensors.size(), T(0));
  (void)k.template compress<T>(state, zero, tensors, stamp{}, message);
  std::copy_n(input.begin(), std::min(input.size(), message.size() - message_header_bytes),
              message.begin() + message_header_bytes);
  seal();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const std::vector<std::byte> input(bytes + 1, bytes + size);
  using mode = qsgd::level_mode;
  switch (data[0] % 10) {
    case 0:
      try_decoder<float>(raw{}, input);
      break;
    case 1:
      try_decoder<double>(half{}, input);
      break;
    case 2:
      try_decoder<float>(half{half_format::fp16}, input);
      break;
    case 3:
      try_decoder<float>(sign{}, input);
      break;
    case 4:
      try_decoder<float>(top_k{0.05}, input);
      break;
    case 5:
      try_decoder<double>(top_k{0.5}, input);
      break;
    case 6:
      try_decoder<float>(random_k{0.1, scaling::unbiased}, input);
      break;
    case 7:
      try_decoder<float>(qsgd{.bits = 3, .scale = scaling::contraction}, input);
      break;
    case 8:
      try_decoder<double>(qsgd{.bits = 8, .levels = mode::sign_beside, .bucket = 64}, input);
      break;
    default:
      try_decoder<double>(error_feedback{qsgd{.bits = 1, .levels = mode::sign_beside}}, input);
      break;
  }
  return 0;
}
