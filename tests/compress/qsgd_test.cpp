#include "polder/compress/qsgd.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "compress/support.hpp"
#include "support/catch.hpp"

using namespace polder;
using namespace polder::test;
using mode = qsgd::level_mode;

namespace {

std::vector<qsgd> all_settings(std::size_t bucket, scaling scale = scaling::unbiased) {
  std::vector<qsgd> settings;
  for (unsigned bits = 1; bits <= 8; ++bits) {
    if (bits > 1) settings.push_back({bits, mode::sign_inside, scale, bucket});
    settings.push_back({bits, mode::sign_beside, scale, bucket});
  }
  return settings;
}
double highest(const qsgd& k) { return std::pow(2.0, k.levels == mode::sign_inside ? k.bits - 1.0 : k.bits) - 1.0; }

/// Bits from..from + count of a payload, the lowest bit of a byte first.
unsigned bits_at(const byte_vector& message, std::size_t byte, std::size_t from, unsigned count) {
  unsigned number = 0;
  for (unsigned j = 0; j < count; ++j) {
    number |= (payload_at(message, byte + (from + j) / 8) >> ((from + j) % 8) & 1u) << j;
  }
  return number;
}

/// The message read by its description: what each number of one bucket became, as sign times level.
struct bucket_reading {
  double norm = 0;
  std::vector<int> levels;
  std::size_t bytes = 0;
};
bucket_reading read_bucket(const qsgd& k, const byte_vector& message, std::size_t at, std::size_t m) {
  bucket_reading bucket;
  bucket.norm = static_cast<double>(payload_value<float>(message, at));
  const std::size_t level_bytes = (m * k.bits + 7) / 8;
  for (std::size_t i = 0; i < m; ++i) {
    unsigned level = bits_at(message, at + 4, i * k.bits, k.bits);
    bool negative = false;
    if (k.levels == mode::sign_inside) {
      negative = level >> (k.bits - 1) != 0;
      level &= (1u << (k.bits - 1)) - 1;
    } else {
      negative = bits_at(message, at + 4 + level_bytes, i, 1) != 0;
    }
    bucket.levels.push_back(negative ? -static_cast<int>(level) : static_cast<int>(level));
  }
  bucket.bytes = 4 + level_bytes + (k.levels == mode::sign_beside ? (m + 7) / 8 : 0);
  return bucket;
}

}  // namespace

TEST_CASE("a qsgd message holds the levels of the formulas, with the documented random bits", "[qsgd]") {
  const layout tensors = awkward_layout();
  const auto x = normal_numbers<double>(tensors.size(), 1);
  const stamp which{.seed = 11, .step = 12, .worker = 13, .edge = 14};
  for (const std::size_t width : {0u, 64u, 100u, 4096u}) {
    for (const qsgd& k : all_settings(width)) {
      const double s = highest(k);
      const byte_vector message = packed(k, x, tensors, which);
      const auto decoded = unpacked<double>(k, message, tensors);
      std::size_t at = 0;
      std::uint64_t block = 0;
      for (const tensor_info& tensor : tensors.tensors()) {
        std::size_t m = 0;
        for (std::size_t begin = 0; begin < tensor.size(); begin += m) {
          m = width == 0 ? tensor.size() : std::min(width, tensor.size() - begin);
          const double* v = x.data() + tensor.offset + begin;
          const bucket_reading bucket = read_bucket(k, message, at, m);
          double sum = 0;
          for (std::size_t i = 0; i < m; ++i) sum += v[i] * v[i];
          REQUIRE(bucket.norm >= std::sqrt(sum) * (1 - 1e-12));
          REQUIRE(bucket.norm <= std::sqrt(sum) * (1 + 0x1p-23));
          for (std::size_t i = 0; i < m; ++i) {
            const std::size_t j = i % 128;
            const auto words = random_words(which.key(purpose::rounding), (block + i / 128) * 16 + j % 16);
            const double u = (words[j / 16 % 4] >> (j < 64 ? 0 : 16) & 0xFFFFu) * 0x1p-16;
            const double r = std::floor(s * std::fabs(v[i]) / bucket.norm * 65536 + 0.5) / 65536;
            const double level = std::floor(r) + (u >= 1 - (r - std::floor(r)) ? 1 : 0);
            REQUIRE(std::abs(bucket.levels[i]) == static_cast<int>(level));
            REQUIRE(std::abs(bucket.levels[i]) <= static_cast<int>(s));
            if (level > 0) REQUIRE((bucket.levels[i] < 0) == (v[i] < 0));
            const double value = bucket.norm / s * bucket.levels[i];
            REQUIRE(decoded[tensor.offset + begin + i] == Approx(value).epsilon(1e-12));
          }
          at += bucket.bytes;
          block += (m + 127) / 128;
        }
      }
      REQUIRE(message.size() == 40 + at);
    }
  }
}

TEST_CASE("qsgd sends b bits a number with the sign inside, b + 1 with the sign beside", "[qsgd]") {
  const std::size_t m = 10000;
  CHECK(qsgd{.bits = 8}.max_bytes<float>(layout(m)) == 40 + 4 + 10000);
  CHECK(qsgd{.bits = 4}.max_bytes<float>(layout(m)) == 40 + 4 + 5000);
  CHECK(qsgd{.bits = 3}.max_bytes<double>(layout(m)) == 40 + 4 + 3750);
  CHECK(qsgd{.bits = 8, .levels = mode::sign_beside}.max_bytes<float>(layout(m)) == 40 + 4 + 10000 + 1250);
  CHECK(qsgd{.bits = 1, .levels = mode::sign_beside}.max_bytes<float>(layout(m)) == 40 + 4 + 1250 + 1250);
  // 9 buckets of 1024 and one of 784 numbers
  CHECK(qsgd{.bits = 5, .bucket = 1024}.max_bytes<float>(layout(m)) == 40 + 9 * (4 + 640) + 4 + 490);
  // tensors of 1, 0, 7, 128, 129 and 4099 numbers
  CHECK(qsgd{.bits = 3}.max_bytes<float>(awkward_layout()) == 40 + 5 * 4 + 1 + 3 + 48 + 49 + 1538);
  CHECK(packed(qsgd{.bits = 3}, std::vector<float>(4364), awkward_layout()).size() == 1699);
}

TEST_CASE("unbiased qsgd has the right expectation and the bounded error", "[qsgd]") {
  const std::size_t m = 64;
  const auto x = normal_numbers<double>(m, 2);
  const double norm = std::sqrt(squared_norm(x));
  const int draws = 3000;
  for (const qsgd& k : all_settings(0)) {
    const double s = highest(k);
    std::vector<double> mean(m, 0.0);
    double error = 0;
    for (int draw = 0; draw < draws; ++draw) {
      const auto y = through(k, x, layout(m), {.seed = 5, .step = static_cast<std::uint64_t>(draw)});
      for (std::size_t i = 0; i < m; ++i) mean[i] += y[i] / draws;
      error += squared_distance(x, y) / draws;
    }
    // a level is a Bernoulli between neighbors, norm / s apart: standard deviation norm / (2 s) at most. 960 means stay
    // within 5 deviations with probability above 1 - 6e-4; the fixed point adds 2^-17 of a level.
    for (std::size_t i = 0; i < m; ++i) {
      CHECK(std::fabs(mean[i] - x[i]) < norm / s * (5 * 0.5 / std::sqrt(draws) + 0x1p-17));
    }
    CHECK(error <= std::min(m / (s * s), std::sqrt(m) / s) * norm * norm);
    CHECK(error > 0);
  }
}

TEST_CASE("qsgd with contraction scaling is c times the unbiased one, and contracts by c", "[qsgd]") {
  const std::size_t m = 200;
  const auto x = normal_numbers<double>(m, 3);
  for (const std::size_t bucket : {0u, 64u}) {
    for (const qsgd& k : all_settings(bucket, scaling::contraction)) {
      const double s = highest(k);
      const double count = bucket == 0 ? 200.0 : 64.0;
      const double c = 1 / (1 + std::min(count / (s * s), std::sqrt(count) / s));
      CHECK(k.shrinkage(bucket == 0 ? 200 : 64) == Approx(c).epsilon(1e-14));
      qsgd unbiased = k;
      unbiased.scale = scaling::unbiased;
      double error = 0;
      const int draws = 300;
      for (int draw = 0; draw < draws; ++draw) {
        const stamp which{.step = static_cast<std::uint64_t>(draw)};
        const auto y = through(k, x, layout(m), which);
        error += squared_distance(x, y) / draws;
        const auto z = through(unbiased, x, layout(m), which);
        REQUIRE(y[17] == Approx(c * z[17]).epsilon(1e-12));
      }
      // the error of a draw varies by less than its bound around a mean well below it
      CHECK(error <= (1 - c) * squared_norm(x));
    }
  }
}

TEST_CASE("numbers that are whole levels arrive exactly, whatever the random numbers", "[qsgd]") {
  // norm 5 from 3, -4: with s = 15 or 255 levels are thirds or 51sts of 1
  const std::vector<float> x{3.0f, -4.0f, 0.0f};
  for (std::uint64_t step = 0; step < 50; ++step) {
    CHECK(through(qsgd{.bits = 4, .levels = mode::sign_beside}, x, layout(3), {.step = step})[0] == Approx(3.0f));
    CHECK(through(qsgd{.bits = 8, .levels = mode::sign_beside}, x, layout(3), {.step = step})[1] == Approx(-4.0f));
    CHECK(through(qsgd{.bits = 2}, std::vector<float>{-0.7f}, layout(1), {.step = step})[0] == -0.7f);
  }
}

TEST_CASE("messages differ with every part of the stamp", "[qsgd]") {
  const auto x = normal_numbers<float>(500, 4);
  const stamp base{.seed = 1, .step = 2, .worker = 3, .edge = 4};
  const byte_vector message = packed(qsgd{}, x, layout(500), base);
  for (const stamp& other : {stamp{9, 2, 3, 4}, stamp{1, 9, 3, 4}, stamp{1, 2, 9, 4}, stamp{1, 2, 3, 9}}) {
    CHECK(packed(qsgd{}, x, layout(500), other) != message);
  }
}

TEST_CASE("norms at the ends of float32 are sent as 0 or refused, and in between they work", "[qsgd]") {
  CHECK(through(qsgd{}, std::vector<float>{1e-31f, 1e-44f}, layout(2)) == std::vector<float>{0.0f, 0.0f});
  CHECK(through(qsgd{}, std::vector<float>{1e-29f}, layout(1))[0] == Approx(1e-29f));
  CHECK(through(qsgd{}, std::vector<float>{1.5e38f}, layout(1))[0] == Approx(1.5e38f));
  layout tensors;
  tensors.add("wide", {2});
  CHECK_THAT(message_of<compress_error>([&] {
               (void)packed(qsgd{}, std::vector<float>{1.5e38f, 1.5e38f}, tensors);
             }),
             Catch::Contains("\"wide\": its norm is above 2^127"));
}

TEST_CASE("qsgd refuses settings out of range by name, value and range", "[qsgd]") {
  const auto refusal = [](const qsgd& k) { return message_of<config_error>([&] { (void)k.init<float>(layout(3)); }); };
  CHECK_THAT(refusal({.bits = 9}), Catch::Contains("bits is 9") && Catch::Contains("[2, 8]"));
  CHECK_THAT(refusal({.bits = 1}), Catch::Contains("bits is 1") && Catch::Contains("[2, 8]"));
  CHECK_THAT(refusal({.bits = 0, .levels = mode::sign_beside}),
             Catch::Contains("bits is 0") && Catch::Contains("[1, 8]"));
  CHECK_THAT(refusal({.bucket = 63}), Catch::Contains("bucket is 63") && Catch::Contains("[64, 4096]"));
  CHECK_THAT(refusal({.bucket = 4097}), Catch::Contains("bucket is 4097"));
  CHECK_THAT(refusal({.levels = static_cast<mode>(3)}), Catch::Contains("levels is 3"));
  CHECK_THAT(refusal({.scale = static_cast<scaling>(3)}), Catch::Contains("scale is 3"));
  CHECK(refusal({.bits = 1, .levels = mode::sign_beside}) == "");
  // every entry checks, so that a wrong setting never becomes a shift by too much
  std::vector<float> y(3);
  no_compressor_state none;
  byte_vector out(100);
  const qsgd wrong{.bits = 77};
  CHECK_THROWS_AS(wrong.max_bytes<float>(layout(3)), config_error);
  CHECK_THROWS_AS(wrong.compress<float>(none, y, layout(3), {}, out), config_error);
  CHECK_THROWS_AS(wrong.decompress<float>(out, layout(3), y), config_error);
}

TEST_CASE("qsgd refuses norms and bits that no sender writes, and other settings", "[qsgd]") {
  layout tensors;
  tensors.add("w", {3});
  const qsgd k{.bits = 3, .levels = mode::sign_beside};
  const byte_vector message = packed(k, std::vector<float>{1.0f, -2.0f, 3.0f}, tensors);
  const auto refusal = [&](std::size_t at, auto value) {
    byte_vector altered = message;
    set_payload(altered, at, value);
    return message_of<compress_error>([&] { (void)unpacked<float>(k, altered, tensors); });
  };
  CHECK_THAT(refusal(0, -1.0f), Catch::Contains("norm of tensor \"w\" is -1"));
  CHECK_THAT(refusal(0, std::numeric_limits<float>::infinity()), Catch::Contains("norm of tensor \"w\" is inf"));
  CHECK_THAT(refusal(0, std::numeric_limits<float>::max()), Catch::Contains("[0, 2^127]"));
  CHECK_THAT(refusal(5, std::uint8_t{0x02}), Catch::Contains("bits behind the last number"));
  CHECK_THAT(refusal(6, std::uint8_t{0x08}), Catch::Contains("bits behind the last number"));
  CHECK(refusal(5, std::uint8_t{0x01}) == "");
  CHECK_THROWS_AS(unpacked<float>(qsgd{.bits = 4, .levels = mode::sign_beside}, message, tensors), compress_error);
  CHECK_THROWS_AS(unpacked<float>(qsgd{.bits = 3}, message, tensors), compress_error);
}
