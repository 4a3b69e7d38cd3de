#include "polder/compress/measured.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "compress/support.hpp"
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
using namespace polder::test;

namespace {

/// The sums over three messages, from the vectors and what the inner compressor makes of them.
template <class T, class K>
void check_sums(const K& inner) {
  const layout tensors = awkward_layout();
  const measured k{inner};
  auto state = k.template init<T>(tensors);
  double input = 0.0, lost = 0.0;
  for (std::uint64_t step = 0; step < 3; ++step) {
    const stamp which{.seed = 1, .step = step};
    const auto v = normal_numbers<T>(tensors.size(), 100 + step);
    const byte_vector message = packed(k, state, v, tensors, which);
    CHECK(message == packed(inner, v, tensors, which));
    CHECK(unpacked<T>(k, message, tensors) == unpacked<T>(inner, message, tensors));
    input += squared_norm(v);
    lost += squared_distance(v, unpacked<T>(inner, message, tensors));
  }
  const double rounding = 10 * static_cast<double>(std::numeric_limits<T>::epsilon());
  CHECK(state.sums.data()[0] == 3.0);
  CHECK(state.sums.data()[1] == Approx(input).epsilon(1e-12));
  CHECK(state.sums.data()[2] == Approx(lost).epsilon(rounding).margin(1e-30));
}
template <class K>
void check_sums(const K& inner) {
  check_sums<float>(inner);
  check_sums<double>(inner);
}

}  // namespace

TEST_CASE("measured meets the obligations of a compressor, inside and around error feedback", "[measured]") {
  contract::check_compressor(measured{sign{}});
  contract::check_compressor(error_feedback{measured{top_k{.keep = 0.1}}});
  contract::check_compressor(measured{error_feedback{qsgd{.bits = 4, .bucket = 64}}});
}

TEST_CASE("measured sends what the inner compressor sends, and sums what that loses", "[measured]") {
  check_sums(raw{});
  check_sums(half{});
  check_sums(sign{});
  check_sums(top_k{0.1});
  check_sums(random_k{0.1});
  check_sums(qsgd{.bits = 4, .scale = scaling::contraction});
}

TEST_CASE("the sums of what is kept and what is lost are known where the arithmetic is exact", "[measured]") {
  // 3, 4, 12: the largest one is kept
  const layout tensors(3);
  const measured k{top_k{0.34}};
  auto state = k.init<float>(tensors);
  const std::vector<float> v{3.0f, 4.0f, 12.0f};
  (void)packed(k, state, v, tensors);
  (void)packed(k, state, v, tensors);
  CHECK(state.sums.data()[0] == 2.0);
  CHECK(state.sums.data()[1] == 2 * 169.0);
  CHECK(state.sums.data()[2] == 2 * 25.0);
}

TEST_CASE("inside error feedback the memory is part of what is compressed", "[measured]") {
  // 3, 4 keeps 4; then 3 + 3, 4 + 0 keeps 6
  const layout tensors(2);
  const error_feedback k{measured{top_k{0.5}}};
  auto state = k.init<float>(tensors);
  const std::vector<float> v{3.0f, 4.0f};
  (void)packed(k, state, v, tensors);
  (void)packed(k, state, v, tensors);
  CHECK(state.inner.sums.data()[1] == (9.0 + 16.0) + (36.0 + 16.0));
  CHECK(state.inner.sums.data()[2] == 9.0 + 16.0);
}

TEST_CASE("switched off, measured has no scratch and counts nothing", "[measured]") {
  const layout tensors = awkward_layout();
  const measured k{sign{}, false};
  auto state = k.init<float>(tensors);
  const auto v = normal_numbers<float>(tensors.size(), 1);
  CHECK(packed(k, state, v, tensors) == packed(sign{}, v, tensors));
  CHECK(state.scratch.size() == 0);
  for (std::size_t i = 0; i < 3; ++i) CHECK(state.sums.data()[i] == 0.0);
}

TEST_CASE("a checkpoint visits the sums in double and the inner state under a name of its own", "[measured]") {
  const measured<error_feedback<sign>> k{{sign{}}};
  auto state = k.init<float>(layout(7));
  std::vector<std::string> names;
  state.visit([&](const std::string& name, auto values) { names.push_back(text(name, " ", values.size)); });
  CHECK(names == std::vector<std::string>{"measured 3", "measured.error_feedback 7"});
}

TEST_CASE("measured refuses a vector that is not the layout's", "[measured]") {
  const measured k{sign{}};
  auto state = k.init<float>(layout(7));
  byte_vector out(1000);
  const std::vector<float> v(8, 1.0f);
  CHECK_THROWS_AS(k.compress<float>(state, v, layout(7), {}, out), config_error);
  CHECK_THROWS_WITH(k.compress<float>(state, v, layout(8), {}, out),
                    Catch::Contains("measured: the scratch has 7 numbers, the vector 8"));
}
