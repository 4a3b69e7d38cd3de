// Gossip with compressed messages against stacked references, with compressors written here from their formulas.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "polder/comm/counted.hpp"
#include "polder/compress/half.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/random_k.hpp"
#include "polder/compress/raw.hpp"
#include "polder/compress/sign.hpp"
#include "polder/compress/top_k.hpp"
#include "polder/core/schedule.hpp"
#include "polder/mixing/every.hpp"
#include "polder/recipes/choco_sgd.hpp"
#include "polder/recipes/comp_q_saddle.hpp"
#include "polder/recipes/deep_squeeze.hpp"
#include "polder/recipes/dsgdm_n.hpp"
#include "polder/recipes/qgm.hpp"
#include "polder/topology/graphs.hpp"
#include "recipes/setting.hpp"
#include "recipes/stacked_reference.hpp"
#include "support/catch.hpp"
#include "support/quadratics.hpp"
#include "support/team.hpp"

namespace {

using namespace polder;
using namespace polder::test;
using topology::mixing_matrix;

constexpr double beta = 0.8;
constexpr double mu = 0.7;

using codec = std::function<std::vector<double>(const std::vector<double>&)>;

/// (||v||_1 / m) sign(v), with the scale a float32 as on the wire.
std::vector<double> plain_sign(const std::vector<double>& v) {
  double sum = 0.0;
  for (const double a : v) sum += std::abs(a);
  const double scale = static_cast<double>(static_cast<float>(sum / static_cast<double>(v.size())));
  std::vector<double> q;
  for (const double a : v) q.push_back(std::signbit(a) ? -scale : scale);
  return q;
}
/// The k numbers of largest magnitude, as float32.
std::vector<double> plain_top(const std::vector<double>& v, std::size_t k) {
  std::vector<std::size_t> order(v.size());
  for (std::size_t i = 0; i < v.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return std::abs(v[a]) > std::abs(v[b]); });
  std::vector<double> q(v.size(), 0.0);
  for (std::size_t i = 0; i < k; ++i) q[order[i]] = static_cast<double>(static_cast<float>(v[order[i]]));
  return q;
}

struct loop {
  bool quasi_global = false;
  double rho = 0.0;
  double gamma = 0.5;
  bool mix_first = false;
  bool from_zero = false;
  bool adaptive = false;
};

/// The half step of everybody: Nesterov's momentum, or quasi-global momentum in Nesterov's form.
rows half_step(const stacked_problem& p, const rows& x, rows& memory, std::size_t t, const loop& how) {
  if (!how.quasi_global) return nesterov_step(p, x, memory, t, beta);
  rows half = x;
  for (std::size_t i = 0; i < p.n; ++i) {
    auto g = how.rho > 0.0 ? sam_gradient(p, i, x[i], how.rho) : p.gradient(i, x[i]);
    for (std::size_t k = 0; k < p.d; ++k) {
      const double decayed = g[k] + p.wd * x[i][k];
      half[i][k] = x[i][k] - p.lr(t) * (decayed + beta * (beta * memory[i][k] + decayed));
    }
  }
  return half;
}
void refresh(const stacked_problem& p, const rows& before, const rows& after, rows& memory, std::size_t t) {
  for (std::size_t i = 0; i < p.n; ++i) {
    for (std::size_t k = 0; k < p.d; ++k) {
      memory[i][k] = mu * memory[i][k] + (1.0 - mu) * (before[i][k] - after[i][k]) / p.lr(t);
    }
  }
}

rows stacked_choco(const setting& s, const codec& c, const loop& how) {
  const stacked_problem& p = s.problem;
  rows x(workers, s.x0), memory = zeros_like(p), v = zeros_like(p);
  rows hat = how.from_zero ? zeros_like(p) : x;
  for (std::size_t t = 0; t < steps; ++t) {
    const rows half = half_step(p, x, memory, t, how);
    rows next = half;
    const auto send = [&](const rows& y) {
      for (std::size_t i = 0; i < workers; ++i) {
        std::vector<double> difference(dimension);
        for (std::size_t k = 0; k < dimension; ++k) difference[k] = y[i][k] - hat[i][k];
        const auto q = c(difference);
        for (std::size_t k = 0; k < dimension; ++k) hat[i][k] += q[k];
      }
    };
    if (!how.mix_first) send(half);
    for (std::size_t i = 0; i < workers; ++i) {
      for (std::size_t k = 0; k < dimension; ++k) {
        double r = -hat[i][k];
        for (std::size_t j = 0; j < workers; ++j) r += p.w[i * workers + j] * hat[j][k];
        double step = how.gamma;
        if (how.adaptive) {
          v[i][k] = 0.999 * v[i][k] + 0.001 * r * r;
          const double unbiased = v[i][k] / (1.0 - std::pow(0.999, static_cast<double>(t + 1)));
          step = std::min(1.0, how.gamma / (std::sqrt(unbiased) + 1e-8));
        }
        next[i][k] = half[i][k] + step * r;
      }
    }
    if (how.mix_first) send(next);
    if (how.quasi_global) refresh(p, x, next, memory, t);
    x = next;
  }
  return x;
}

rows stacked_deep_squeeze(const setting& s, const codec& c, const loop& how) {
  const stacked_problem& p = s.problem;
  rows x(workers, s.x0), memory = zeros_like(p), e = zeros_like(p);
  for (std::size_t t = 0; t < steps; ++t) {
    const rows half = half_step(p, x, memory, t, how);
    rows q, next = half;
    for (std::size_t i = 0; i < workers; ++i) {
      for (std::size_t k = 0; k < dimension; ++k) e[i][k] += half[i][k];
      q.push_back(c(e[i]));
      for (std::size_t k = 0; k < dimension; ++k) e[i][k] -= q[i][k];
    }
    for (std::size_t i = 0; i < workers; ++i) {
      for (std::size_t k = 0; k < dimension; ++k) {
        double r = -q[i][k];
        for (std::size_t j = 0; j < workers; ++j) r += p.w[i * workers + j] * q[j][k];
        next[i][k] = half[i][k] + how.gamma * r;
      }
    }
    if (how.quasi_global) refresh(p, x, next, memory, t);
    x = next;
  }
  return x;
}

/// In double, with decisions (signs, largest numbers) that rounding does not turn, 60 steps of a contraction stay near
/// the rounding of one; error feedback and float32 scales add a few more units.
template <class Algorithm>
void agrees(const setting& s, const Algorithm& parts, const rows& expected) {
  CHECK(largest_difference(s.train(reference_backend{}, parts), expected) < 1e-11);
  CHECK(largest_difference(s.train(eigen_backend{}, parts), expected) < 1e-11);
}

const codec five_largest = [](const std::vector<double>& v) { return plain_top(v, 5); };

TEST_CASE("CHOCO follows its formulas in both orders, from both starts, on a ring and on an irregular graph") {
  for (const bool regular : {true, false}) {
    const setting s(regular ? ring() : irregular());
    for (const bool mix_first : {false, true}) {
      for (const bool from_zero : {false, true}) {
        CAPTURE(regular, mix_first, from_zero);
        const auto order = mix_first ? choco_order::mix_first : choco_order::compress_first;
        const auto start = from_zero ? public_copies::zero : public_copies::at_start;
        const loop how{.gamma = 0.3, .mix_first = mix_first, .from_zero = from_zero};
        const recipes::compressed_options o{.beta = beta, .weight_decay = wd};
        agrees(s, recipes::choco_sgd(choco{sign{}, 0.3, order, start}, o), stacked_choco(s, plain_sign, how));
        agrees(s, recipes::choco_sgd(choco{top_k{.keep = 0.25}, 0.3, order, start}, o),
               stacked_choco(s, five_largest, how));
      }
    }
  }
}

TEST_CASE("AdaGossip's consensus steps follow their formula") {
  const setting s(irregular());
  agrees(
      s,
      recipes::choco_sgd(choco{top_k{.keep = 0.25}, 0.05, choco_order::compress_first, public_copies::at_start, true},
                         {.beta = beta, .weight_decay = wd}),
      stacked_choco(s, five_largest, {.gamma = 0.05, .adaptive = true}));
}

TEST_CASE("DeepSqueeze follows its formulas") {
  for (const bool regular : {true, false}) {
    const setting s(regular ? ring() : irregular());
    const recipes::compressed_options o{.beta = beta, .weight_decay = wd};
    agrees(s, recipes::deep_squeeze_sgd(deep_squeeze{sign{}, 0.1}, o),
           stacked_deep_squeeze(s, plain_sign, {.gamma = 0.1}));
    agrees(s, recipes::deep_squeeze_sgd(deep_squeeze{top_k{.keep = 0.25}, 0.1}, o),
           stacked_deep_squeeze(s, five_largest, {.gamma = 0.1}));
  }
}

TEST_CASE("compressed Q-SADDLe follows its formulas with either loop") {
  const setting s(irregular());
  const recipes::comp_q_saddle_options o{.rho = 0.3, .beta = beta, .mu = mu, .weight_decay = wd};
  const loop how{.quasi_global = true, .rho = 0.3, .gamma = 0.3};
  agrees(s, recipes::comp_q_saddle(choco{top_k{.keep = 0.25}, 0.3}, o), stacked_choco(s, five_largest, how));
  agrees(s, recipes::comp_q_saddle(deep_squeeze{top_k{.keep = 0.25}, 0.3}, o),
         stacked_deep_squeeze(s, five_largest, how));
}

TEST_CASE("compression that loses nothing is gossip") {
  const setting s(irregular());
  const auto base = s.train(reference_backend{}, recipes::dsgdm_n({.beta = beta, .gamma = 0.6}));
  CHECK(largest_difference(s.train(reference_backend{}, recipes::choco_sgd(choco{raw{}, 0.6}, {.beta = beta})), base) <
        1e-12);
  CHECK(largest_difference(
            s.train(reference_backend{}, recipes::deep_squeeze_sgd(deep_squeeze{raw{}, 0.6}, {.beta = beta})), base) <
        1e-12);
}

TEST_CASE("rho = 0 is compressed quasi-global momentum bit for bit") {
  const setting s(irregular());
  const auto mixing = choco{qsgd{.bits = 4, .scale = scaling::contraction}, 0.3};
  const auto base = s.train(eigen_backend{}, algorithm{plain{}, quasi_global_momentum{}, mixing});
  CHECK(s.train(eigen_backend{}, recipes::comp_q_saddle(mixing, {.rho = 0.0})) == base);
  CHECK(s.train(eigen_backend{}, recipes::comp_q_saddle(mixing, {.rho = 0.0, .force_second_pass = true})) == base);
  CHECK(s.train(eigen_backend{}, recipes::comp_q_saddle(mixing, {.rho = 1e-3})) != base);
}

TEST_CASE("whatever a compressor loses, the mean of the workers stays where it is") {
  const setting s(irregular());
  rows start;
  random_stream random({19, purpose::test});
  for (std::size_t i = 0; i < workers; ++i) {
    start.emplace_back();
    for (std::size_t k = 0; k < dimension; ++k) start.back().push_back(random.normal());
  }
  const auto before = mean_of(start);
  const auto keeps_mean = [&](const auto& mixing) {
    const auto after = train_team(reference_backend{}, algorithm{plain{}, chain<>{}, mixing}, s.weights, start,
                                  [&](int i) { return s.f.of(i); }, 25, {.lr = {.base = 0.0}});
    CHECK(after != start);
    for (std::size_t k = 0; k < dimension; ++k) CHECK(mean_of(after)[k] == within(before[k], 1e-12));
  };
  const auto keep_all = [&](const auto& compressor) {
    using public_copies::zero;
    keeps_mean(choco{compressor, 0.2, choco_order::compress_first, zero});
    keeps_mean(choco{compressor, 0.2, choco_order::mix_first, zero});
    keeps_mean(deep_squeeze{compressor, 0.1});
  };
  keep_all(sign{});
  keep_all(top_k{.keep = 0.1});
  keep_all(random_k{.keep = 0.3});
  keep_all(qsgd{.bits = 2, .scale = scaling::contraction});
  keep_all(half{});
}

TEST_CASE("in float, too, thousands of rounds leave the mean where it is") {
  // Gradients that sum to zero pull the workers apart in every step. x rounds twice a step by at most 2^-24 of its size:
  // 5e-4 after 4000 steps if always in one direction.
  constexpr int team = 4;
  constexpr std::size_t n = 50;
  struct apart {
    float pull;
    double loss_and_gradient(std::span<const float>, std::span<float> g) const {
      for (std::size_t i = 0; i < g.size(); ++i) g[i] = pull * static_cast<float>(1.0 + 0.01 * static_cast<double>(i));
      return 0.0;
    }
  };
  const auto weights = mixing_matrix::metropolis(topology::ring(team));
  const auto shift = [&](const auto& mixing) {
    const auto x = train_team(eigen_backend{}, algorithm{plain{}, chain<>{}, mixing}, weights,
                              equal_start<float>(team, std::vector<float>(n, 1.0f)),
                              [](int i) { return apart{i % 2 == 0 ? 1.0f : -1.0f}; }, 4000, {.lr = {.base = 0.01}});
    double worst = 0.0;
    for (std::size_t k = 0; k < n; ++k) {
      double mean = 0.0;
      for (const auto& row : x) mean += static_cast<double>(row[k]) / team;
      worst = std::max(worst, std::abs(mean - 1.0));
    }
    return worst;
  };
  CHECK(shift(choco{qsgd{.bits = 8, .scale = scaling::contraction}, 0.5}) < 5e-4);
  CHECK(shift(choco{sign{}, 0.45}) < 5e-4);
  CHECK(shift(deep_squeeze{qsgd{.bits = 8, .scale = scaling::contraction}, 0.3}) < 5e-4);
}

TEST_CASE("public copies that begin at the start need a common one") {
  const setting s(ring());
  rows start;
  for (std::size_t i = 0; i < workers; ++i) start.emplace_back(dimension, static_cast<double>(i));
  const auto agree = [&](public_copies copies) {
    return train_team(reference_backend{},
                      algorithm{plain{}, chain<>{}, choco{raw{}, 0.5, choco_order::compress_first, copies}}, s.weights,
                      start, [&](int i) { return s.f.of(i); }, 300, {.lr = {.base = 0.0}});
  };
  CHECK_THROWS_WITH(agree(public_copies::at_start), Catch::Contains("worker 1 starts from other parameters"));
  CHECK(agree(public_copies::zero)[0][0] == Approx(3.5).epsilon(1e-6));
}

TEST_CASE("a compressor whose errors may exceed what it sends is refused") {
  const setting s(irregular());
  CHECK_THROWS_WITH(s.train(reference_backend{}, algorithm{plain{}, chain<>{}, choco{qsgd{}}}),
                    Catch::Contains("choco: the compressor is unbiased"));
  CHECK_THROWS_WITH(s.train(reference_backend{}, algorithm{plain{}, chain<>{}, deep_squeeze{qsgd{}}}),
                    Catch::Contains("deep_squeeze: the compressor is unbiased"));
}

TEST_CASE("over rounds of several steps the copies still begin at the start") {
  const setting s(irregular());
  const auto often = s.train(reference_backend{}, algorithm{plain{}, chain<>{}, every{3, choco{raw{}, 0.6}}});
  const auto base = s.train(reference_backend{}, algorithm{plain{}, chain<>{}, every{3, gossip{0.6}}});
  CHECK(largest_difference(often, base) < 1e-12);
}

TEST_CASE("the bytes on the wire are those of the messages: one to each neighbor") {
  const setting s(ring());
  const auto per_round = [&](const auto& compressor) {
    std::size_t bytes = 0;
    run_workers(8, [&](auto& comm) {
      counted counting(comm);
      auto f = s.f.of(comm.rank());
      worker one(algorithm{plain{}, chain<>{}, choco{compressor}}, reference_backend{}, counting, s.weights, f,
                 std::span<const double>(s.x0), {.lr = {.base = 0.01}});
      const auto before = counting.bytes_sent();
      one.step();
      if (comm.rank() == 3) bytes = counting.bytes_sent() - before;
    });
    return bytes;
  };
  // A header of 40 bytes; 21 signs and a scale; 21 numbers of 8 bits and a norm; 5 float32 and a bitmap of 21.
  CHECK(per_round(sign{}) == 2 * (40 + 3 + 4));
  CHECK(per_round(qsgd{.bits = 8, .scale = scaling::contraction}) == 2 * (40 + 21 + 4));
  CHECK(per_round(top_k{.keep = 0.25}) == 2 * (40 + 3 + 20));
}

TEST_CASE("a consensus step or a graph that does not suit compression is refused") {
  const setting s(irregular());
  CHECK_THROWS_WITH(s.train(reference_backend{}, algorithm{plain{}, chain<>{}, choco{sign{}, 0.0}}),
                    Catch::Contains("choco: gamma is 0 but must be in (0, 1]"));
  CHECK_THROWS_WITH(s.train(reference_backend{}, algorithm{plain{}, chain<>{}, deep_squeeze{sign{}, 1.5}}),
                    Catch::Contains("deep_squeeze: gamma is 1.5"));
  const setting changing(mixing_matrix::usual(topology::one_peer_exponential(8)));
  CHECK_THROWS_WITH(changing.train(reference_backend{}, algorithm{plain{}, chain<>{}, choco{sign{}}}),
                    Catch::Contains("changes over 3 phases"));
}

}  // namespace
