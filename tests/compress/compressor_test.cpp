#include "polder/compress/compressor.hpp"

#include "contract/compressor_suite.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/half.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/random_k.hpp"
#include "polder/compress/raw.hpp"
#include "polder/compress/sign.hpp"
#include "polder/compress/top_k.hpp"
#include "support/catch.hpp"

using namespace polder;
using contract::check_compressor;

TEST_CASE("raw meets the obligations of a compressor", "[compress]") { check_compressor(raw{}); }

TEST_CASE("half meets the obligations of a compressor", "[compress]") {
  check_compressor(half{});
  check_compressor(half{.format = half_format::fp16});
}

TEST_CASE("sign meets the obligations of a compressor", "[compress]") { check_compressor(sign{}); }

TEST_CASE("top_k meets the obligations of a compressor, with offsets and with bitmaps", "[compress]") {
  check_compressor(top_k{.keep = 0.05});
  check_compressor(top_k{.keep = 0.5});
  check_compressor(top_k{.keep = 1.0});
}

TEST_CASE("random_k meets the obligations of a compressor", "[compress]") {
  check_compressor(random_k{.keep = 0.1});
  check_compressor(random_k{.keep = 0.1, .scale = scaling::unbiased, .same_positions = true});
}

TEST_CASE("qsgd meets the obligations of a compressor, in both modes and with buckets", "[compress]") {
  check_compressor(qsgd{});
  check_compressor(qsgd{.bits = 2, .scale = scaling::contraction});
  check_compressor(qsgd{.bits = 1, .levels = qsgd::level_mode::sign_beside, .bucket = 64});
  check_compressor(qsgd{.bits = 8, .levels = qsgd::level_mode::sign_beside, .bucket = 100});
}

TEST_CASE("error feedback meets the obligations of a compressor, and nests", "[compress]") {
  check_compressor(error_feedback{sign{}});
  check_compressor(error_feedback<error_feedback<qsgd>>{{qsgd{.bits = 5, .bucket = 65}}});
}
