#include "polder/compress/error_feedback.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "compress/support.hpp"
#include "polder/compress/half.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/random_k.hpp"
#include "polder/compress/raw.hpp"
#include "polder/compress/sign.hpp"
#include "polder/compress/top_k.hpp"
#include "support/catch.hpp"

using namespace polder;
using namespace polder::test;

namespace {

/// p = v + e, q = C(p), e = p - q with vectors of its own.
template <class T, class K>
void check_against_definition(const K& inner) {
  const layout tensors = awkward_layout();
  const std::size_t n = tensors.size();
  const error_feedback<K> k{inner};
  auto state = k.template init<T>(tensors);
  std::vector<T> e(n, T(0));
  std::vector<double> inputs(n, 0.0), sent(n, 0.0);
  for (std::uint64_t step = 0; step < 10; ++step) {
    const stamp which{.seed = 1, .step = step};
    auto v = normal_numbers<T>(n, 100 + step);
    if (step == 0) {
      for (std::size_t i = 0; i < n; i += 5) v[i] = i % 2 == 0 ? T(0) : -T(0);
    }
    std::vector<T> p(n);
    for (std::size_t i = 0; i < n; ++i) p[i] = v[i] + e[i];
    const byte_vector message = packed(k, state, v, tensors, which);
    CHECK(message == packed(inner, p, tensors, which));
    const auto q = unpacked<T>(k, message, tensors);
    for (std::size_t i = 0; i < n; ++i) {
      e[i] = p[i] - q[i];
      inputs[i] += static_cast<double>(v[i]);
      sent[i] += static_cast<double>(q[i]);
    }
    for (std::size_t i = 0; i < n; ++i) CHECK(state.memory.data()[i] == e[i]);
  }
  // nothing is lost: the sum of what was sent and the memory is the sum of the inputs
  const double rounding = 40 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (std::size_t i = 0; i < n; ++i) {
    const double size = 10 + std::fabs(sent[i]) + std::fabs(static_cast<double>(e[i]));
    CHECK(std::fabs(sent[i] + static_cast<double>(e[i]) - inputs[i]) <= rounding * size);
  }
}
template <class K>
void check_against_definition(const K& inner) {
  check_against_definition<float>(inner);
  check_against_definition<double>(inner);
}

}  // namespace

TEST_CASE("error feedback sends C(v + e) and keeps what was left out, for every compressor", "[error_feedback]") {
  check_against_definition(raw{});
  check_against_definition(half{});
  check_against_definition(sign{});
  check_against_definition(top_k{0.1});
  check_against_definition(random_k{0.1});
  check_against_definition(qsgd{.bits = 4, .scale = scaling::contraction});
}

TEST_CASE("sign and qsgd leave the rest in their own passes, with the same bits", "[error_feedback]") {
  // layouts above have tensors that end inside a block and inside a bucket; the definition encodes and decodes apart
  static_assert(residual_compressor<sign, float> && residual_compressor<qsgd, double>);
  static_assert(!residual_compressor<top_k, float> && !residual_compressor<error_feedback<sign>, float>);
  using mode = qsgd::level_mode;
  check_against_definition(qsgd{});
  check_against_definition(qsgd{.bits = 8, .scale = scaling::contraction, .bucket = 100});
  check_against_definition(qsgd{.bits = 3, .levels = mode::sign_beside, .scale = scaling::contraction, .bucket = 64});
  check_against_definition(qsgd{.bits = 1, .levels = mode::sign_beside, .scale = scaling::contraction});
}

TEST_CASE("the number that cannot be sent is named with the memory in it", "[error_feedback]") {
  // the memory is finite, the vector is finite, their sum is not
  layout tensors;
  tensors.add("first", {3});
  tensors.add("second", {2});
  const error_feedback k{qsgd{}};
  auto state = k.init<float>(tensors);
  state.memory.data()[4] = std::numeric_limits<float>::max();
  const std::vector<float> v{1, 2, 3, 4, std::numeric_limits<float>::max()};
  byte_vector out(k.max_bytes<float>(tensors));
  CHECK_THAT(message_of<non_finite_error>([&] { (void)k.compress<float>(state, v, tensors, {}, out); }),
             Catch::Contains("number 1 of tensor \"second\" is inf"));
  CHECK_THROWS_AS(k.compress<float>(state, std::span<const float>(v).first(4), tensors, {}, out), config_error);
}

TEST_CASE("nothing is lost exactly where the arithmetic is exact", "[error_feedback]") {
  // whole numbers and top_k: no rounding anywhere
  const layout tensors(50);
  const error_feedback k{top_k{0.1}};
  auto state = k.init<float>(tensors);
  std::vector<float> inputs(50, 0.0f), sent(50, 0.0f);
  for (std::uint64_t step = 0; step < 100; ++step) {
    auto v = normal_numbers<float>(50, step);
    for (std::size_t i = 0; i < 50; ++i) inputs[i] += v[i] = std::round(8 * v[i]);
    k.decompress_add<float>(packed(k, state, v, tensors), tensors, 1.0, sent);
  }
  for (std::size_t i = 0; i < 50; ++i) CHECK(sent[i] + state.memory.data()[i] == inputs[i]);
  CHECK(squared_norm(sent) > 0);
}

TEST_CASE("around raw the memory stays zero and the messages are raw's", "[error_feedback]") {
  const layout tensors = awkward_layout();
  const error_feedback k{raw{}};
  auto state = k.init<double>(tensors);
  const auto v = normal_numbers<double>(tensors.size(), 1);
  for (int round = 0; round < 3; ++round) {
    CHECK(packed(k, state, v, tensors) == packed(raw{}, v, tensors));
    for (std::size_t i = 0; i < v.size(); ++i) CHECK(state.memory.data()[i] == 0.0);
  }
}

TEST_CASE("a checkpoint visits every memory under a name of its own", "[error_feedback]") {
  const error_feedback<error_feedback<sign>> k{{sign{}}};
  auto state = k.init<float>(layout(7));
  std::vector<std::string> names;
  state.visit([&](const std::string& name, host_view<float> values) {
    names.push_back(name);
    CHECK(values.size == 7);
  });
  CHECK(names == std::vector<std::string>{"error_feedback", "error_feedback.error_feedback"});
}

TEST_CASE("the hyperparameters of the inner compressor are checked", "[error_feedback]") {
  CHECK_THROWS_AS(error_feedback{top_k{2.0}}.init<float>(layout(3)), config_error);
  CHECK_THROWS_AS(error_feedback{qsgd{.bits = 0}}.max_bytes<float>(layout(3)), config_error);
}
