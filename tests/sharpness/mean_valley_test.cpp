#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "polder/backend/reference.hpp"
#include "polder/comm/counted.hpp"
#include "polder/comm/recorded.hpp"
#include "polder/comm/run_workers.hpp"
#include "polder/sharpness/mean_valley.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;
using namespace polder::sharpness;

/// c + 1/2 sum h_i x_i^2
struct bowl {
  double c;
  std::vector<double> h;
  template <class T>
  double operator()(std::span<const T> x) const {
    double loss = c;
    for (std::size_t i = 0; i < x.size(); ++i)
      loss += 0.5 * h[i] * static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return loss;
  }
};

/// A loss that counts how often it is asked.
struct counting_loss {
  bowl of;
  std::size_t& calls;
  double operator()(std::span<const double> x) const {
    ++calls;
    return of(x);
  }
};

using models = std::vector<std::vector<double>>;
std::vector<std::span<const double>> spans(const models& all) { return {all.begin(), all.end()}; }

const bowl wide_and_steep{0.2, {1.0, 25.0, 4.0}};
/// Their mean is 0, so that the closed form holds.
const models cross{{1.0, 0.0, 0.0}, {-1.0, 0.0, 0.0}, {0.0, 3.0, 3.0}, {0.0, -3.0, -3.0}};

}  // namespace

TEST_CASE("on a quadratic the boundaries lie at sqrt(2 (kappa - 1) c / (u^T H u))") {
  for (const double kappa : {1.5, 2.0, 10.0}) {
    const auto all = spans(cross);
    const valley found = mean_valley<double>(std::span(all), wide_and_steep, {.kappa = kappa, .tolerance = 1e-9});
    const double flat = std::sqrt(2.0 * (kappa - 1.0) * 0.2 / 1.0);
    const double steep = std::sqrt(2.0 * (kappa - 1.0) * 0.2 / 14.5);
    CHECK(found.center_loss == Approx(0.2));
    CHECK(found.level == Approx(kappa * 0.2));
    CHECK(found.boundaries[0].distance == Approx(flat).epsilon(1e-8));
    CHECK(found.boundaries[1].distance == Approx(flat).epsilon(1e-8));
    CHECK(found.boundaries[2].distance == Approx(steep).epsilon(1e-8));
    CHECK(found.boundaries[3].distance == Approx(steep).epsilon(1e-8));
    CHECK(found.boundaries[2].radius == Approx(std::sqrt(18.0)));
    CHECK(found.mean_valley == Approx((flat + steep) / 2).epsilon(1e-8));
    CHECK(found.inverse_mean_valley() == -found.mean_valley);
    CHECK(found.reciprocal() == Approx(1.0 / found.mean_valley));
    CHECK(found.open == 0);
  }
}

TEST_CASE("a model costs an evaluation for each doubling or halving of its distance, and ten bisections") {
  const auto all = spans(cross);
  // Boundaries at 0.632 (from 1, halved once) and at 0.166 (from 4.243, halved five times), one evaluation more at the
  // start of each search, one for the mean; a factor of two down to 1e-3 is ten bisections.
  std::size_t calls = 0;
  const valley found = mean_valley<double>(std::span(all), counting_loss{wide_and_steep, calls});
  CHECK(calls == 1 + 2 * (1 + 1 + 10) + 2 * (1 + 5 + 10));
  CHECK(found.evaluations == calls);
}

TEST_CASE("evaluations are what the loss sees, for other tolerances, an open direction and a model at the mean") {
  const auto count = [](const models& all, const bowl& f, const valley_options& o) {
    std::size_t calls = 0;
    const auto views = spans(all);
    CHECK(mean_valley<double>(std::span(views), counting_loss{f, calls}, o).evaluations == calls);
    return calls;
  };
  // Down to 2^-20 are twenty bisections.
  CHECK(count(cross, wide_and_steep, {.tolerance = 1e-6}) == 1 + 2 * (1 + 1 + 20) + 2 * (1 + 5 + 20));
  // Open: from 1 to 2, 4, ..., 512 and 1000 without a bisection. The other two: from 4.243 to 2.121, 1.061 and 0.530,
  // since the boundary lies at sqrt(0.8) = 0.894.
  CHECK(count(cross, {0.2, {0.0, 1.0, 0.0}}, {.farthest = 1000.0}) == 1 + 2 * (1 + 10) + 2 * (1 + 3 + 10));
  CHECK(count({{1.0, 0.0, 0.0}, {-1.0, 0.0, 0.0}, {0.0, 0.0, 0.0}}, wide_and_steep, {}) == 1 + 2 * (1 + 1 + 10));
}

TEST_CASE("a rise of the loss is a boundary where the mean has none of its own") {
  const bowl bottom{0.0, {2.0, 2.0, 2.0}};
  const auto all = spans(cross);
  CHECK_THROWS_WITH(mean_valley<double>(std::span(all), bottom), Catch::Contains("set `rise`"));
  const valley found = mean_valley<double>(std::span(all), bottom, {.rise = 0.25, .tolerance = 1e-9});
  CHECK(found.mean_valley == Approx(0.5).epsilon(1e-8));
}

TEST_CASE("a direction without a boundary is marked open, and the search ends") {
  const bowl trough{0.2, {0.0, 1.0, 0.0}};
  const auto all = spans(cross);
  const valley found = mean_valley<double>(std::span(all), trough, {.farthest = 1000.0});
  CHECK(found.open == 2);
  CHECK(found.boundaries[0].open);
  CHECK(found.boundaries[0].distance == 1000.0);
  CHECK_FALSE(found.boundaries[2].open);
}

TEST_CASE("a loss that is not finite is above every level") {
  const auto cliff = [](std::span<const double> x) { return std::abs(x[0]) > 0.25 ? std::nan("") : 1.0; };
  const models pair{{2.0}, {-2.0}};
  const auto all = spans(pair);
  CHECK(mean_valley<double>(std::span(all), cliff, {.tolerance = 1e-6}).mean_valley == Approx(0.25).epsilon(1e-5));
}

TEST_CASE("the search ends at the resolution of numbers") {
  const auto jump = [](std::span<const double> x) { return x[0] == 0.0 ? 1.0 : 3.0; };
  const models pair{{2.0}, {-2.0}};
  const auto all = spans(pair);
  CHECK(mean_valley<double>(std::span(all), jump).mean_valley < 1e-300);
  const auto directions = spans(cross);
  const valley finest = mean_valley<double>(std::span(directions), wide_and_steep, {.tolerance = 1e-17});
  CHECK(finest.boundaries[0].distance == Approx(std::sqrt(0.4)).epsilon(1e-14));
  CHECK_THROWS_WITH(mean_valley<double>(std::span(directions), bowl{1e9, {1.0, 1.0, 1.0}}, {.rise = 1e-9}),
                    Catch::Contains("is lost beside a loss of"));
}

TEST_CASE("a model at the mean has no direction and does not count; equal models have no valley") {
  const models with_center{{1.0, 0.0, 0.0}, {-1.0, 0.0, 0.0}, {0.0, 0.0, 0.0}};
  const auto all = spans(with_center);
  const valley found = mean_valley<double>(std::span(all), wide_and_steep, {.tolerance = 1e-9});
  CHECK_FALSE(found.boundaries[2].direction);
  CHECK(found.mean_valley == Approx(std::sqrt(0.4)).epsilon(1e-8));
  const models equal{{1.0, 2.0, 3.0}, {1.0, 2.0, 3.0}};
  const auto same = spans(equal);
  CHECK_THROWS_WITH(mean_valley<double>(std::span(same), wide_and_steep), Catch::Contains("all 2 models are equal"));
}

TEST_CASE("workers together find what their stored models give, and are charged nothing for it") {
  const auto all = spans(cross);
  const valley expected = mean_valley<double>(std::span(all), wide_and_steep);
  std::vector<valley> found(4);
  std::vector<std::size_t> calls(4);
  std::vector<wire_traffic> charged(4);
  run_workers(4, [&](auto& comm) {
    const reference_backend backend;
    counted quiet(comm);
    const auto rank = static_cast<std::size_t>(comm.rank());
    const auto& mine = cross[rank];
    found[rank] = mean_valley(backend, quiet, host_view<const double>(mine.data(), mine.size()),
                              counting_loss{wide_and_steep, calls[rank]});
    charged[rank] = quiet.sent();
  });
  for (std::size_t rank = 0; rank < 4; ++rank) {
    CHECK(found[rank].mean_valley == Approx(expected.mean_valley).epsilon(1e-12));
    for (std::size_t m = 0; m < 4; ++m) {
      CHECK(found[rank].boundaries[m].distance == Approx(expected.boundaries[m].distance).epsilon(1e-12));
    }
    // Each looks in its own direction alone.
    CHECK(calls[rank] == (rank < 2 ? 1 + (1 + 1 + 10) : 1 + (1 + 5 + 10)));
    CHECK(found[rank].evaluations == calls[rank]);
    CHECK(charged[rank] == wire_traffic{});
  }
}

TEST_CASE("workers together reduce their parameters once and gather their boundaries once, and nothing else") {
  std::vector<std::vector<recorded_call>> logs(4);
  run_workers(4, [&](auto& comm) {
    const reference_backend backend;
    recorded log(comm);
    const auto rank = static_cast<std::size_t>(comm.rank());
    const auto& mine = cross[rank];
    (void)mean_valley(backend, log, host_view<const double>(mine.data(), mine.size()), wide_and_steep);
    logs[rank] = log.calls();
  });
  CHECK(disagreement(logs) == "");
  for (const auto& log : logs) {
    REQUIRE(log.size() == 3);
    CHECK(log[0].kind == call_kind::all_reduce_mean);
    CHECK(log[0].bytes == 3 * sizeof(double));
    CHECK(log[1].kind == call_kind::release);
    CHECK(log[2].kind == call_kind::all_gather);
    CHECK(log[2].bytes == sizeof(valley_boundary));
  }
  CHECK(sizeof(valley_boundary) <= 3 * sizeof(double));
}

TEST_CASE("options out of range are refused with their value") {
  const auto all = spans(cross);
  const auto with = [&](valley_options o) { return mean_valley<double>(std::span(all), wide_and_steep, o); };
  CHECK_THROWS_WITH(with({.kappa = 1.0}), Catch::Contains("kappa is 1 but must be"));
  CHECK_THROWS_WITH(with({.rise = -1.0}), Catch::Contains("rise is -1"));
  CHECK_THROWS_WITH(with({.tolerance = 0.0}), Catch::Contains("tolerance is 0"));
  CHECK_THROWS_WITH(with({.farthest = 0.0}), Catch::Contains("farthest is 0"));
  const models uneven{{1.0, 2.0, 3.0}, {1.0}};
  const auto bad = spans(uneven);
  CHECK_THROWS_WITH(mean_valley<double>(std::span(bad), wide_and_steep), Catch::Contains("model 1 has 1 parameters"));
  CHECK_THROWS_WITH(mean_valley<double>(std::span(all).first(1), wide_and_steep), Catch::Contains("at least 2"));
}
