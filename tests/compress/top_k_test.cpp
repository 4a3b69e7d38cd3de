#include "polder/compress/top_k.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "compress/support.hpp"
#include "support/catch.hpp"

using namespace polder;
using namespace polder::test;

namespace {

/// The definition, by sorting: per tensor the k largest magnitudes, of equal ones the first, as float32.
template <class T>
std::vector<T> reference(double keep, const std::vector<T>& x, const layout& tensors) {
  std::vector<T> y(x.size(), T(0));
  for (const tensor_info& tensor : tensors.tensors()) {
    const std::size_t m = tensor.size();
    if (m == 0) continue;
    const auto k = std::max<std::size_t>(1, static_cast<std::size_t>(std::floor(keep * static_cast<double>(m))));
    std::vector<std::size_t> order(m);
    std::iota(order.begin(), order.end(), tensor.offset);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return std::fabs(x[a]) > std::fabs(x[b]); });
    for (std::size_t i = 0; i < k; ++i) y[order[i]] = static_cast<T>(static_cast<float>(x[order[i]]));
  }
  return y;
}

template <class T>
void check_against_sorting(const std::vector<T>& x, const layout& tensors) {
  for (const double keep : {1e-9, 0.01, 0.1, 0.3, 0.5, 0.99, 1.0}) {
    CHECK(through(top_k{keep}, x, tensors) == reference(keep, x, tensors));
  }
}

}  // namespace

TEST_CASE("top_k keeps what sorting keeps, whatever the numbers look like", "[top_k]") {
  const layout tensors = awkward_layout();
  const std::size_t n = tensors.size();
  check_against_sorting(normal_numbers<float>(n, 1), tensors);
  check_against_sorting(normal_numbers<double>(n, 2), tensors);
  // many ties: few magnitudes, both signs, and zeros
  auto coarse = normal_numbers<float>(n, 3);
  for (float& value : coarse) value = std::round(value);
  check_against_sorting(coarse, tensors);
  check_against_sorting(std::vector<double>(n, -1.5), tensors);
  // magnitudes over the whole range, and differences in the last bit
  auto wide = normal_numbers<float>(n, 4);
  for (std::size_t i = 0; i < n; ++i) wide[i] = std::ldexp(wide[i], static_cast<int>(i % 250) - 140);
  check_against_sorting(wide, tensors);
  auto close = std::vector<double>(n, 1.0);
  for (std::size_t i = 0; i < n; ++i) close[i] += static_cast<double>(i * 7919 % 64) * 0x1p-52;
  check_against_sorting(close, tensors);
}

TEST_CASE("of equal numbers the first are kept, exactly k of them", "[top_k]") {
  const std::vector<float> x{1, -2, 2, 1, 2, -2, 0, 1, 1, 1};
  CHECK(through(top_k{0.3}, x, layout(10)) == std::vector<float>{0, -2, 2, 0, 2, 0, 0, 0, 0, 0});
  CHECK(through(top_k{0.6}, x, layout(10)) == std::vector<float>{1, -2, 2, 1, 2, -2, 0, 0, 0, 0});
  CHECK(through(top_k{1e-6}, x, layout(10)) == std::vector<float>{0, -2, 0, 0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("top_k sends k values and the cheaper of bitmap and packed offsets", "[top_k]") {
  // m = 1000: offsets have 10 bits, a bitmap 125 bytes: k = 99 takes 124 bytes of offsets, k = 100 as much as the
  // bitmap
  CHECK(top_k{0.001}.max_bytes<float>(layout(1000)) == 40 + 2 + 4);
  CHECK(top_k{0.0995}.max_bytes<float>(layout(1000)) == 40 + 124 + 4 * 99);
  CHECK(top_k{0.1005}.max_bytes<double>(layout(1000)) == 40 + 125 + 4 * 100);
  CHECK(top_k{1.0}.max_bytes<float>(layout(1000)) == 40 + 125 + 4 * 1000);
  // one number needs no index; two need one bit
  CHECK(top_k{0.5}.max_bytes<float>(layout(1)) == 40 + 4);
  CHECK(top_k{0.5}.max_bytes<float>(layout(2)) == 40 + 1 + 4);
  CHECK(packed(top_k{0.0995}, normal_numbers<float>(1000, 1), layout(1000)).size() == 40 + 124 + 4 * 99);
}

TEST_CASE("offsets and bitmap stand on the wire in their order", "[top_k]") {
  // 33 numbers, k = 2: two offsets of 6 bits (2 bytes) beat 5 bytes of bitmap
  std::vector<float> x(33, 0.0f);
  x[5] = -7.0f;
  x[32] = 9.0f;
  const byte_vector offsets = packed(top_k{0.07}, x, layout(33));
  REQUIRE(offsets.size() == 40 + 2 + 8);
  CHECK(payload_value<std::uint16_t>(offsets, 0) == (5u | 32u << 6));
  CHECK(payload_value<float>(offsets, 2) == -7.0f);
  CHECK(payload_value<float>(offsets, 6) == 9.0f);
  // 9 numbers, k = 4: 4 offsets of 4 bits are as long as the bitmap, which is taken
  const std::vector<float> y{1, 0, 0, 2, 0, 0, 0, 3, 4};
  const byte_vector bitmap = packed(top_k{0.5}, y, layout(9));
  REQUIRE(bitmap.size() == 40 + 2 + 16);
  CHECK(payload_value<std::uint16_t>(bitmap, 0) == 0b110001001);
}

TEST_CASE("top_k is a contraction with delta = k / m", "[top_k]") {
  for (const double keep : {0.01, 0.2, 0.7}) {
    const auto x = normal_numbers<double>(1000, 9);
    CHECK(squared_distance(x, through(top_k{keep}, x, layout(1000))) <= (1 - keep) * squared_norm(x));
    // equal magnitudes are the worst case: equality
    const std::vector<double> flat(1000, 0.5);
    CHECK(squared_distance(flat, through(top_k{keep}, flat, layout(1000))) == Approx((1 - keep) * squared_norm(flat)));
  }
}

TEST_CASE("top_k refuses positions that no sender writes", "[top_k]") {
  std::vector<float> x(33, 0.0f);
  x[5] = x[32] = 1.0f;
  const auto refusal = [](const top_k& k, byte_vector message, std::size_t at, auto value, std::size_t n) {
    set_payload(message, at, value);
    return message_of<compress_error>([&] { (void)unpacked<float>(k, message, layout(n)); });
  };
  const byte_vector offsets = packed(top_k{0.07}, x, layout(33));
  for (const unsigned bad : {5u | 5u << 6, 32u | 5u << 6, 5u | 33u << 6, 5u | 63u << 6, 5u | 32u << 6 | 1u << 13}) {
    CHECK_THAT(refusal(top_k{0.07}, offsets, 0, static_cast<std::uint16_t>(bad), 33),
               Catch::Contains("not 2 ascending ones below 33"));
  }
  CHECK(refusal(top_k{0.07}, offsets, 0, static_cast<std::uint16_t>(0u | 1u << 6), 33) == "");
  const byte_vector bitmap = packed(top_k{0.5}, std::vector<float>{1, 0, 0, 2, 0, 0, 0, 3, 4}, layout(9));
  for (const unsigned bad : {0b110001000u, 0b111001001u, 0b1000110001001u, 0b1010001001u, 0xFFFFu, 0u}) {
    CHECK_THAT(refusal(top_k{0.5}, bitmap, 0, static_cast<std::uint16_t>(bad), 9),
               Catch::Contains("not 4 ascending ones below 9"));
  }
  CHECK_THAT(refusal(top_k{0.5}, bitmap, 2, std::numeric_limits<float>::quiet_NaN(), 9), Catch::Contains("not finite"));
}

TEST_CASE("top_k refuses fractions that are none, and numbers above float32", "[top_k]") {
  for (const double keep : {0.0, -0.1, 1.0001, std::nan("")}) {
    const std::string said = message_of<config_error>([&] { (void)top_k{keep}.init<float>(layout(3)); });
    CHECK_THAT(said, Catch::Contains("top_k: keep is ") && Catch::Contains("(0, 1]"));
    CHECK_THROWS_AS(top_k{keep}.max_bytes<float>(layout(3)), config_error);
  }
  CHECK_THROWS_AS(packed(top_k{1.0}, std::vector<double>{1e39}, layout(1)), compress_error);
}
