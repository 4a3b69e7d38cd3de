#include "polder/compress/sign.hpp"

#include <cmath>
#include <vector>

#include "compress/support.hpp"
#include "support/catch.hpp"

using namespace polder;
using namespace polder::test;

TEST_CASE("sign is the mean magnitude of each tensor with each number's sign", "[sign]") {
  const layout tensors = awkward_layout();
  const auto x = normal_numbers<double>(tensors.size(), 1);
  const auto y = through(sign{}, x, tensors);
  for (const tensor_info& tensor : tensors.tensors()) {
    double sum = 0;
    for (std::size_t i = 0; i < tensor.size(); ++i) sum += std::fabs(x[tensor.offset + i]);
    for (std::size_t i = tensor.offset; i < tensor.offset + tensor.size(); ++i) {
      CHECK(std::fabs(y[i]) == Approx(sum / static_cast<double>(tensor.size())).epsilon(1e-7));
      CHECK((y[i] < 0) == (x[i] < 0));
    }
  }
}

TEST_CASE("sign sends 4 bytes and a bit for each number of a tensor that has any", "[sign]") {
  // 40 + (4 + 1) + (nothing) + (4 + 1) + (4 + 16) + (4 + 17) + (4 + 513)
  CHECK(sign{}.max_bytes<float>(awkward_layout()) == 40 + 5 + 0 + 5 + 20 + 21 + 517);
  CHECK(packed(sign{}, std::vector<float>(awkward_layout().size()), awkward_layout()).size() == 608);
}

TEST_CASE("the first number is in the lowest bit, and the sign of zero is +1", "[sign]") {
  const std::vector<float> x{-1.0f, 0.0f, -0.0f, 3.0f, -4.0f, 0.0f, 0.0f, 0.0f, -2.0f};
  const byte_vector message = packed(sign{}, x, layout(9));
  CHECK(payload_value<float>(message, 0) == 10.0f / 9.0f);
  CHECK(payload_at(message, 4) == 0b00010001);
  CHECK(payload_at(message, 5) == 0b1);
  CHECK(through(sign{}, x, layout(9))[1] > 0.0f);
  CHECK(through(sign{}, x, layout(9))[2] > 0.0f);
}

TEST_CASE("sign is a contraction by ||v||_1^2 / m exactly", "[sign]") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::size_t m = 1 + 97 * seed;
    const auto x = normal_numbers<double>(m, seed);
    double l1 = 0;
    for (const double value : x) l1 += std::fabs(value);
    const double expected = squared_norm(x) - l1 * l1 / static_cast<double>(m);
    CHECK(squared_distance(x, through(sign{}, x, layout(m))) == Approx(expected).margin(1e-9).epsilon(1e-6));
  }
}

TEST_CASE("sign refuses scales and bits that no sender writes, and a mean that float32 cannot carry", "[sign]") {
  layout tensors;
  tensors.add("w", {3});
  const byte_vector message = packed(sign{}, std::vector<float>{1.0f, -2.0f, 3.0f}, tensors);
  for (const float scale : {-1.0f, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    byte_vector altered = message;
    set_payload(altered, 0, scale);
    CHECK_THAT(message_of<compress_error>([&] { (void)unpacked<float>(sign{}, altered, tensors); }),
               Catch::Contains("scale of tensor \"w\""));
  }
  byte_vector altered = message;
  set_payload(altered, 4, std::uint8_t{0b1010});
  CHECK_THAT(message_of<compress_error>([&] { (void)unpacked<float>(sign{}, altered, tensors); }),
             Catch::Contains("bits behind the last number of tensor \"w\""));
  CHECK_THAT(message_of<compress_error>([&] {
               (void)packed(sign{}, std::vector<double>{1e39, 1e39, 1e39}, tensors);
             }),
             Catch::Contains("\"w\": its mean magnitude is above float32"));
}
