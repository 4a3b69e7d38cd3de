// Consensus without gradients: how far a round of compressed gossip may go before the workers no longer come together.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "polder/backend/eigen.hpp"
#include "polder/compress/half.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/random_k.hpp"
#include "polder/compress/raw.hpp"
#include "polder/compress/sign.hpp"
#include "polder/compress/top_k.hpp"
#include "polder/gradient/plain.hpp"
#include "polder/mixing/choco.hpp"
#include "polder/mixing/consensus_step.hpp"
#include "polder/mixing/deep_squeeze.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/mixing/none.hpp"
#include "polder/topology/davis.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/topology/spectrum.hpp"
#include "support/catch.hpp"
#include "support/team.hpp"

namespace {

using namespace polder;
using namespace polder::test;
using topology::mixing_matrix;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;  // fewer graphs: the same code ten times slower
#else
constexpr bool sanitized = false;
#endif

/// A codec as a function: what a message says of v, for worker i in round t.
using codec = std::function<std::vector<double>(const std::vector<double>& v, std::size_t i, std::uint64_t t)>;

template <class K>
codec codec_of(const K& k, const layout& tensors) {
  return [k, tensors](const std::vector<double>& v, std::size_t i, std::uint64_t t) {
    auto state = k.template init<double>(tensors);
    std::vector<std::byte> bytes(k.template max_bytes<double>(tensors));
    const stamp which{3, t, static_cast<std::uint32_t>(i), 0};
    const std::size_t sent = k.template compress<double>(state, std::span<const double>(v), tensors, which, bytes);
    std::vector<double> q(v.size());
    k.template decompress<double>(std::span<const std::byte>(bytes).first(sent), tensors, std::span<double>(q));
    return q;
  };
}

double squared(const stacked<double>& x) {
  double sum = 0.0;
  for (const auto& row : x) {
    for (const double a : row) sum += a * a;
  }
  return sum;
}
/// The squared distances of the workers to their mean.
double disagreement(stacked<double> x) {
  for (std::size_t k = 0; k < x[0].size(); ++k) {
    double mean = 0.0;
    for (const auto& row : x) mean += row[k] / static_cast<double>(x.size());
    for (auto& row : x) row[k] -= mean;
  }
  return squared(x);
}
/// Normal numbers around `mean`.
stacked<double> scattered(std::size_t workers, std::size_t n, double mean) {
  random_stream random({21, purpose::test});
  stacked<double> x(workers, std::vector<double>(n));
  for (auto& row : x) {
    for (double& a : row) a = mean + random.normal();
  }
  return x;
}

/// CHOCO on [workers][n], written from its formulas.
struct stacked_consensus {
  const mixing_matrix& weights;
  codec compress;
  stacked<double> x, copy;
  std::uint64_t t = 0;

  stacked_consensus(const mixing_matrix& w, codec c, stacked<double> start, const std::vector<double>& common)
      : weights(w), compress(std::move(c)), x(std::move(start)), copy(x.size(), common) {}

  void send() {
    for (std::size_t i = 0; i < x.size(); ++i) {
      std::vector<double> lag = x[i];
      for (std::size_t k = 0; k < lag.size(); ++k) lag[k] -= copy[i][k];
      const std::vector<double> q = compress(lag, i, t);
      for (std::size_t k = 0; k < lag.size(); ++k) copy[i][k] += q[k];
    }
    ++t;
  }
  void mix(double gamma) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const topology::mixing_row& row = weights.row(0, static_cast<int>(i));
      for (std::size_t s = 0; s < row.sources.size(); ++s) {
        const double share = gamma * (s == row.self ? row.weights[s] - 1.0 : row.weights[s]);
        const auto& other = copy[static_cast<std::size_t>(row.sources[s])];
        for (std::size_t k = 0; k < x[i].size(); ++k) x[i][k] += share * other[k];
      }
    }
  }
  /// Disagreement and what the copies do not know yet: what contracts.
  [[nodiscard]] double energy() const {
    stacked<double> lag = x;
    for (std::size_t i = 0; i < x.size(); ++i) {
      for (std::size_t k = 0; k < lag[i].size(); ++k) lag[i][k] -= copy[i][k];
    }
    return disagreement(x) + squared(lag);
  }
};

struct named_codec {
  std::string name;
  codec compress;
  double delta;   // of one message: decides how many rounds it takes
  double counts;  // what the consensus step counts on
};

std::vector<named_codec> all_codecs(const layout& tensors) {
  std::vector<named_codec> all;
  const auto add = [&](const std::string& name, const auto& k) {
    all.push_back({name, codec_of(k, tensors), k.contraction(tensors), effective_contraction(k, tensors)});
  };
  for (const double keep : {0.5, 0.25, 0.1, 0.03, 0.01}) {
    add(text("top_k ", keep), top_k{keep});
    add(text("random_k ", keep), random_k{keep});
    add(text("random_k, same positions, ", keep), random_k{.keep = keep, .same_positions = true});
  }
  for (unsigned bits = 2; bits <= 8; ++bits) {
    add(text("qsgd ", bits), qsgd{.bits = bits, .scale = scaling::contraction});
  }
  add("qsgd 1 and sign", qsgd{.bits = 1, .levels = qsgd::level_mode::sign_beside, .scale = scaling::contraction});
  add("qsgd 2 in buckets", qsgd{.bits = 2, .scale = scaling::contraction, .bucket = 64});
  add("sign", sign{});
  add("bf16", half{});
  add("fp16", half{half_format::fp16});
  add("raw", raw{});
  return all;
}

std::vector<topology::graph> all_graphs(int workers) {
  using namespace topology;
  return {ring(workers),  topology::chain(workers), star(workers),        complete(workers),
          torus(workers), hypercube(workers),       exponential(workers), binary_tree(workers)};
}

TEST_CASE("consensus contracts on every graph with every compressor at the derived step and at 1.5 times it") {
  layout tensors;
  tensors.add("weight", {10, 10});
  tensors.add("bias", {4});
  std::vector<topology::graph> graphs{topology::social_network()};
  for (const int workers : {4, 8, 32}) {
    for (const auto& g : all_graphs(workers)) graphs.push_back(g);
  }
  const std::vector<named_codec> codecs = all_codecs(tensors);
  for (const topology::graph& g : graphs) {
    const mixing_matrix w = mixing_matrix::metropolis(g);
    const double gap = topology::spectral_gap(w);
    for (const named_codec& k : codecs) {
      const auto rounds = static_cast<std::uint64_t>(40.0 + 20.0 / std::max(k.delta, k.counts / 2.0));
      // Coarse compressors need thousands of rounds: they run on fewer workers.
      if (rounds * static_cast<std::uint64_t>(g.size()) > (sanitized ? 1000 : 8500)) continue;
      const double derived = safe_consensus_step(k.counts, largest_exchange(w));
      for (const double margin : {1.0, 1.5}) {
        const double gamma = std::min(1.0, margin * derived);
        // The copies begin with nothing in one run and with the common part in the other.
        const double common = margin == 1.0 ? 0.0 : 2.0;
        stacked_consensus run(w, k.compress, scattered(static_cast<std::size_t>(g.size()), tensors.size(), 2.0),
                              std::vector<double>(tensors.size(), common));
        const double start = run.energy();
        double highest = 0.0;
        while (run.t < rounds) {
          run.send();
          run.mix(gamma);
          if (run.t % 10 == 0) highest = std::max(highest, run.energy());
        }
        // A third of the speed of exact gossip with the same step, or down to a twentieth of the start. Beyond the step
        // where fast eigenvectors contract fastest it may take longer.
        const double third = std::pow(std::max(0.0, 1.0 - gamma * gap), static_cast<double>(rounds) / 3.0);
        const double bound = std::max(margin == 1.0 ? 0.05 : 0.35, third);
        INFO(k.name << " on " << g.name() << " of " << g.size() << ", gamma " << gamma << " = " << margin << " x "
                    << derived << ", " << rounds << " rounds: norm " << std::sqrt(run.energy() / start) << ", bound "
                    << bound << ", at most " << std::sqrt(highest / start));
        CHECK(highest < start);
        CHECK(std::sqrt(run.energy() / start) < bound);
      }
    }
  }
}

/// An objective without a slope.
struct flat {
  double loss_and_gradient(std::span<const double>, std::span<double> g) const {
    std::fill(g.begin(), g.end(), 0.0);
    return 0.0;
  }
};

template <class Mixing>
stacked<double> mixed(const Mixing& mixing, const mixing_matrix& w, const stacked<double>& start, std::uint64_t rounds,
                      double* step = nullptr) {
  return train_team(
      eigen_backend{}, algorithm{plain{}, chain<>{}, mixing}, w, start, [](int) { return flat{}; }, rounds, {},
      [step](auto& worker, std::uint64_t) {
        if (step != nullptr && worker.rank() == 0) *step = worker.consensus_step().value_or(-1.0);
      });
}

TEST_CASE("choco without a consensus step takes the derived one, in both orders") {
  for (const auto& g : {topology::ring(5), topology::star(6)}) {
    const mixing_matrix w = mixing_matrix::metropolis(g);
    const stacked<double> start = scattered(static_cast<std::size_t>(g.size()), 60, 1.0);
    for (const choco_order order : {choco_order::compress_first, choco_order::mix_first}) {
      const auto check = [&](const auto& k) {
        const double expected = safe_consensus_step(k, layout(60), w, "test");
        choco derived{k, std::nullopt, order, public_copies::zero};
        double used = 0.0;
        const stacked<double> x = mixed(derived, w, start, 120, &used);
        CHECK(used == expected);
        derived.gamma = expected;
        CHECK(mixed(derived, w, start, 120) == x);
        CHECK(std::sqrt(disagreement(x) / disagreement(start)) < 0.1);
      };
      check(top_k{0.25});
      check(qsgd{.bits = 4, .scale = scaling::contraction});
    }
  }
}

TEST_CASE("a worker says its consensus step, whatever derives or wraps it") {
  const mixing_matrix w = mixing_matrix::metropolis(topology::ring(4));
  const stacked<double> start(4, std::vector<double>(12, 1.0));
  const auto used = [&](const auto& mixing) {
    double step = 0.0;
    (void)mixed(mixing, w, start, 1, &step);
    return step;
  };
  CHECK(used(gossip{0.7}) == 0.7);
  CHECK(used(every{1, gossip{0.6}}) == 0.6);
  CHECK(used(choco{sign{}, 0.4}) == 0.4);
  CHECK(used(every{1, choco{raw{}}}) == 1.0);
  CHECK(used(deep_squeeze{sign{}, 0.1}) == 0.1);
  CHECK(used(none{}) == -1.0);
}

/// Says nothing of its contraction.
struct silent : polder::detail::compressor_archetype {};

TEST_CASE("a consensus step that cannot be derived has to be set") {
  const mixing_matrix w = mixing_matrix::metropolis(topology::ring(4));
  const stacked<double> start(4, std::vector<double>(12, 1.0));
  CHECK_THROWS_WITH(mixed(choco{silent{}}, w, start, 1),
                    Catch::Contains("choco: the compressor does not say its contraction: set gamma"));
  CHECK_THROWS_WITH(
      mixed(choco{sign{}, std::nullopt, choco_order::compress_first, public_copies::zero, true}, w, start, 1),
      Catch::Contains("choco: adaptive steps") && Catch::Contains("set gamma"));
  CHECK_THROWS_WITH(mixed(deep_squeeze{sign{}}, w, start, 1), Catch::Contains("deep_squeeze: gamma is not set"));
}

TEST_CASE("DeepSqueeze brings workers around zero together and leaves others apart in proportion to its step") {
  const mixing_matrix w = mixing_matrix::metropolis(topology::ring(8));
  const random_k k{0.25};
  const double step = safe_consensus_step(k, layout(60), w, "test");
  stacked<double> start = scattered(8, 60, 0.0);
  for (std::size_t i = 0; i < 60; ++i) {
    double mean = 0.0;
    for (const auto& row : start) mean += row[i] / 8.0;
    for (auto& row : start) row[i] -= mean;
  }
  CHECK(std::sqrt(disagreement(mixed(deep_squeeze{k, 1.5 * step}, w, start, 300)) / disagreement(start)) < 1e-3);
  for (auto& row : start) {
    for (double& a : row) a += 10.0;
  }
  const auto left = [&](double gamma) {
    return std::sqrt(disagreement(mixed(deep_squeeze{k, gamma}, w, start, 600)) / squared(start));
  };
  const double far = left(step), near = left(step / 16.0);
  CHECK(far > 0.2);
  CHECK(near < far / 8.0);
  CHECK(near > far / 40.0);
}

}  // namespace
