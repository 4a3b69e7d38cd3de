#include "polder/ops/quantize.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "polder/core/random.hpp"
#include "support/catch.hpp"

using namespace polder;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// The value of 16 bits with `fraction` fraction bits, from the definition of the format.
double value_of(unsigned half, int fraction, int bias) {
  const unsigned exponents = 0x7FFFu >> fraction;
  const unsigned exponent = (half & 0x7FFFu) >> fraction;
  const double part = std::ldexp(half & ((1u << fraction) - 1), -fraction);
  const double sign = (half & 0x8000u) != 0 ? -1.0 : 1.0;
  if (exponent == exponents) return part != 0.0 ? std::nan("") : sign * infinity;
  if (exponent == 0) return sign * std::ldexp(part, 1 - bias);
  return sign * std::ldexp(1.0 + part, static_cast<int>(exponent) - bias);
}

/// Both formats: from the half to the number and back for all halves, and rounding around every boundary.
template <class To, class From>
void check_format(int fraction, int bias) {
  const unsigned last = (0x7FFFu >> fraction << fraction) - 1;  // the largest finite one
  for (unsigned half = 0; half < 0x10000u; ++half) {
    const double value = value_of(half, fraction, bias);
    const float read = From{}(static_cast<std::uint16_t>(half));
    if (std::isnan(value)) {
      REQUIRE(std::isnan(read));
      REQUIRE((To{}(read)&0x7FFFu) > last + 1);
      continue;
    }
    REQUIRE(static_cast<double>(read) == value);
    REQUIRE(std::signbit(read) == ((half & 0x8000u) != 0));
    REQUIRE(To{}(read) == half);
    REQUIRE(To{}(value) == half);
    if ((half & 0x7FFFu) > last) continue;
    // half way to the next: the even one; a little less or more: the nearer one. Beyond the largest finite half lies
    // what the next exponent would be.
    const double up = (half & 0x7FFFu) == last ? std::ldexp(half & 0x8000u ? -1.0 : 1.0, (1 << (14 - fraction)))
                                               : value_of(half + 1, fraction, bias);
    const double middle = value / 2 + up / 2;
    const unsigned even = half % 2 == 0 ? half : half + 1;
    REQUIRE(To{}(middle) == even);
    REQUIRE(To{}(std::nextafter(middle, value)) == half);
    REQUIRE(To{}(std::nextafter(middle, 2 * up)) == half + 1);
    const auto narrow = static_cast<float>(middle);
    REQUIRE(static_cast<double>(narrow) == middle);
    REQUIRE(To{}(narrow) == even);
    REQUIRE(To{}(std::nextafter(narrow, static_cast<float>(value))) == half);
    REQUIRE(To{}(std::nextafter(narrow, half & 0x8000u ? -std::numeric_limits<float>::infinity()
                                                       : std::numeric_limits<float>::infinity())) == half + 1);
  }
}

}  // namespace

TEST_CASE("bfloat16 is read and rounded right, ties to even, for all 65536 patterns", "[quantize]") {
  check_format<ops::to_bf16, ops::from_bf16>(7, 127);
}

TEST_CASE("binary16 is read and rounded right, ties to even, for all 65536 patterns", "[quantize]") {
  check_format<ops::to_fp16, ops::from_fp16>(10, 15);
}

TEST_CASE("halves have the published bit patterns", "[quantize]") {
  CHECK(ops::to_fp16{}(1.0f) == 0x3C00);
  CHECK(ops::to_fp16{}(-2.0f) == 0xC000);
  CHECK(ops::to_fp16{}(65504.0f) == 0x7BFF);
  CHECK(ops::to_fp16{}(65519.99f) == 0x7BFF);
  CHECK(ops::to_fp16{}(65520.0f) == 0x7C00);
  CHECK(ops::to_fp16{}(0x1p-14f) == 0x0400);
  CHECK(ops::to_fp16{}(0x1p-24f) == 0x0001);
  CHECK(ops::to_fp16{}(0x1p-25f) == 0x0000);
  CHECK(ops::to_fp16{}(1.0f / 3.0f) == 0x3555);
  CHECK(ops::to_bf16{}(1.0f) == 0x3F80);
  CHECK(ops::to_bf16{}(-2.0f) == 0xC000);
  CHECK(ops::to_bf16{}(3.14159265f) == 0x4049);
  CHECK(ops::to_bf16{}(0x1.FEp127f) == 0x7F7F);
  CHECK(ops::to_bf16{}(std::numeric_limits<float>::max()) == 0x7F80);
  // would be 1 + 2^-10 if it were rounded to a float first
  CHECK(ops::to_fp16{}(1.0 + 0x1p-11 + 0x1p-40) == 0x3C01);
  CHECK(ops::to_fp16{}(1.0 + 0x1p-11 - 0x1p-40) == 0x3C00);
  CHECK(ops::to_fp16{}(1e300) == 0x7C00);
  CHECK(ops::to_bf16{}(-1e300) == 0xFF80);
  CHECK(ops::to_fp16{}(1e-300) == 0x0000);
}

TEST_CASE("a stochastic level is one of the two neighbors, with the right frequency over all random numbers",
          "[quantize]") {
  // norm 1, s = 7: r = 7 |x|
  const ops::stochastic_level<double> level{7 * 65536.0, 7};
  for (const double x : {0.0, 0.1, -0.1, 0.5, 0.142, -0.93, 1.0}) {
    const double r = 7 * std::fabs(x);
    double mean = 0;
    for (std::uint32_t random = 0; random < 65536; ++random) {
      const std::uint32_t l = level(x, random);
      REQUIRE(l <= 7);
      REQUIRE(l >= static_cast<std::uint32_t>(r));
      REQUIRE(l <= static_cast<std::uint32_t>(r) + 1);
      mean += l / 65536.0;
    }
    CHECK(std::fabs(mean - r) <= 0x1p-17 + 1e-12);
  }
}

TEST_CASE("a level never exceeds s, and whole numbers never move", "[quantize]") {
  for (const std::uint32_t s : {1u, 3u, 127u, 255u}) {
    for (const float norm : {1.0f, 0.3f, 1e-30f, 3e38f}) {
      const ops::stochastic_level<float> level{static_cast<float>(65536.0 * s / static_cast<double>(norm)), s};
      for (const std::uint32_t random : {0u, 1u, 32768u, 65535u}) {
        CHECK(level(norm, random) == s);
        CHECK(level(-norm, random) <= s);
        CHECK(level(std::nextafter(norm, std::numeric_limits<float>::infinity()), random) <= s);
        CHECK(level(0.0f, random) == 0);
        CHECK(level(-0.0f, random) == 0);
      }
    }
  }
}

TEST_CASE("the sign of zero is +1 and magnitudes are ordered as their bits", "[quantize]") {
  CHECK(ops::negative{}(-1.0f) == 1);
  CHECK(ops::negative{}(1.0f) == 0);
  CHECK(ops::negative{}(0.0f) == 0);
  CHECK(ops::negative{}(-0.0f) == 0);
  CHECK(ops::magnitude{}(-3.5f) == 3.5);
  CHECK(ops::level_value<float>{0.5f}(6, 0) == 3.0f);
  CHECK(ops::level_value<float>{0.5f}(6, 8) == -3.0f);
  const std::vector<float> ascending{0.0f, 1e-45f, -1e-40f, 1e-38f, -1.0f, 1.5f, -3e38f};
  for (std::size_t i = 1; i < ascending.size(); ++i) {
    CHECK(ops::magnitude_bits(ascending[i - 1]) < ops::magnitude_bits(ascending[i]));
    CHECK(ops::magnitude_bits(ascending[i]) < ops::infinity_bits<float>);
  }
  CHECK(ops::magnitude_bits(-std::numeric_limits<float>::infinity()) == ops::infinity_bits<float>);
  CHECK(ops::magnitude_bits(std::nan("")) > ops::infinity_bits<double>);
}
