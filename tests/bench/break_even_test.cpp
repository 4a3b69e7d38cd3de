#include "../bench/support/break_even.hpp"

#include <cmath>

#include "polder/core/random.hpp"
#include "support/catch.hpp"

using namespace polder;
using namespace polder::bench;

namespace {

// 40 MB, or 10 MB for 6 ms and 3 ms a neighbor
constexpr message_cost plain{.encode = 0, .decode = 0.002, .bytes = 40e6};
constexpr message_cost coded{.encode = 0.006, .decode = 0.003, .bytes = 10e6};

}  // namespace

TEST_CASE("a step takes its computing and its share of a round", "[break_even]") {
  // a round over 1 GB/s: 1 ms + 2 40 ms + 2 2 ms, and 1 ms + 2 10 ms + 6 ms + 2 3 ms
  round_setting s{.compute = 0.1, .neighbors = 2, .latency = 0.001};
  CHECK(step_seconds(s, 1e9, plain) == Approx(0.1 + 0.085).epsilon(1e-12));
  CHECK(step_seconds(s, 1e9, coded) == Approx(0.1 + 0.033).epsilon(1e-12));
  s.period = 4;
  CHECK(step_seconds(s, 1e9, plain) == Approx(0.1 + 0.085 / 4).epsilon(1e-12));
  // a tenth of 400 ms hides 40 of the 81 ms of plain messages and all 21 of the coded ones
  s.overlap = 0.1;
  CHECK(step_seconds(s, 1e9, plain) == Approx(0.1 + (0.081 - 0.040 + 0.004) / 4).epsilon(1e-12));
  CHECK(step_seconds(s, 1e9, coded) == Approx(0.1 + 0.012 / 4).epsilon(1e-12));
}

TEST_CASE("the break-even bandwidth is the bytes saved over the time spent", "[break_even]") {
  // extra work 6 + 2 3 - 2 2 = 8 ms, saved 2 30 MB; whatever computing, period and latency are
  round_setting s{.compute = 0.1, .neighbors = 2, .latency = 0.001};
  CHECK(break_even_bandwidth(s, coded, plain) == Approx(60e6 / 0.008).epsilon(1e-12));
  s.period = 16;
  s.latency = 0;
  CHECK(break_even_bandwidth(s, coded, plain) == Approx(7.5e9).epsilon(1e-12));
  // 4 ms hidden: at 7.5 GB/s more than the coded messages' 3.67 ms, so 80 MB / (8 + 4 - 1 ms)
  s = {.compute = 0.004, .neighbors = 2, .overlap = 1, .latency = 0.001};
  CHECK(break_even_bandwidth(s, coded, plain) == Approx(80e6 / 0.011).epsilon(1e-12));
  CHECK(step_seconds(s, 80e6 / 0.011, coded) == Approx(step_seconds(s, 80e6 / 0.011, plain)).epsilon(1e-12));
}

TEST_CASE("a codec that takes no time pays on every link, one that saves nothing on none", "[break_even]") {
  const round_setting s{.compute = 0.1, .neighbors = 3};
  CHECK(std::isinf(break_even_bandwidth(s, {.encode = 0, .decode = 0.002, .bytes = 39e6}, plain)));
  CHECK(std::isinf(break_even_bandwidth(s, {.encode = 0.001, .decode = 0.001, .bytes = 39e6}, plain)));
  CHECK(break_even_bandwidth(s, {.encode = 0.001, .decode = 0.003, .bytes = 40e6}, plain) == 0.0);
}

TEST_CASE("below the break-even bandwidth coded steps are shorter, above it longer", "[break_even]") {
  random_stream random({.seed = 1, .purpose = purpose::test});
  int hidden = 0;
  for (int trial = 0; trial < 1000; ++trial) {
    const round_setting s{.compute = 0.1 * random.uniform(),
                          .neighbors = static_cast<double>(1 + random.below(8)),
                          .period = static_cast<double>(1 + random.below(16)),
                          .overlap = random.below(2) == 0 ? 0.0 : random.uniform(),
                          .latency = 0.001 * random.uniform()};
    const message_cost less{.encode = 0.01 + 0.01 * random.uniform(),
                            .decode = 0.002 + 0.01 * random.uniform(),
                            .bytes = plain.bytes * random.uniform()};
    const double bandwidth = break_even_bandwidth(s, less, plain);
    REQUIRE(std::isfinite(bandwidth));
    hidden += s.latency + s.neighbors * less.bytes / bandwidth < s.hidden() ? 1 : 0;
    CHECK(step_seconds(s, 0.999 * bandwidth, less) < step_seconds(s, 0.999 * bandwidth, plain));
    CHECK(step_seconds(s, 1.001 * bandwidth, less) > step_seconds(s, 1.001 * bandwidth, plain));
  }
  CHECK(hidden > 100);
  CHECK(hidden < 900);
}
