// The way back of cross-gradients: a memory for each neighbor, and random numbers for each message.
#include "polder/gradient/way_back.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "polder/backend/reference.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/sign.hpp"
#include "polder/gradient/cross_gradients.hpp"
#include "polder/mixing/gossip.hpp"
#include "polder/topology/graphs.hpp"
#include "polder/train/worker.hpp"
#include "polder/update/chain.hpp"
#include "support/catch.hpp"
#include "support/quadratics.hpp"
#include "support/team.hpp"

namespace {

using namespace polder;
using namespace polder::test;
using topology::mixing_matrix;

constexpr int team = 5;
constexpr std::size_t n = 30;

/// Sums of what one worker gave to the compressor, and of what its receivers decode, by the edge of the stamp.
struct sums {
  std::vector<double> given = std::vector<double>(n, 0.0), decoded = given;
};
struct overheard {
  std::map<std::uint32_t, sums> by_edge;
  std::set<std::tuple<std::uint64_t, std::uint32_t, std::uint32_t>> stamps;
  std::size_t messages = 0;
};

/// A compressor that writes down what passes through it.
template <class K>
struct listening {
  static constexpr bool fixed_size = K::fixed_size;
  K compressor{};
  std::vector<overheard>* notes = nullptr;

  template <class T>
  [[nodiscard]] auto init(const layout& tensors) const {
    return compressor.template init<T>(tensors);
  }
  template <class T>
  [[nodiscard]] std::size_t max_bytes(const layout& tensors) const {
    return compressor.template max_bytes<T>(tensors);
  }
  template <class T, class State>
  std::size_t compress(State& s, std::span<const T> x, const layout& tensors, const stamp& which,
                       std::span<std::byte> out) const {
    overheard& mine = (*notes)[which.worker];
    sums& edge = mine.by_edge[which.edge];
    const std::size_t bytes = compressor.template compress<T>(s, x, tensors, which, out);
    std::vector<T> q(x.size());
    decompress(std::span<const std::byte>(out.first(bytes)), tensors, std::span<T>(q));
    for (std::size_t k = 0; k < x.size(); ++k) {
      edge.given[k] += static_cast<double>(x[k]);
      edge.decoded[k] += static_cast<double>(q[k]);
    }
    mine.stamps.insert({which.step, which.worker, which.edge});
    ++mine.messages;
    return bytes;
  }
  template <class T>
  void decompress(std::span<const std::byte> bytes, const layout& tensors, std::span<T> y) const {
    compressor.template decompress<T>(bytes, tensors, y);
  }
  template <class T>
  void decompress_add(std::span<const std::byte> bytes, const layout& tensors, double weight, std::span<T> y) const {
    compressor.template decompress_add<T>(bytes, tensors, weight, y);
  }
};
template <class K>
listening(K, std::vector<overheard>*) -> listening<K>;

/// A wheel: worker 0 knows all others, which form a circle.
mixing_matrix wheel() {
  return mixing_matrix::metropolis(topology::from_edges(
      team, std::vector<topology::edge>{{0, 1}, {0, 2}, {0, 3}, {0, 4}, {1, 2}, {2, 3}, {3, 4}, {4, 1}}));
}

TEST_CASE("for each neighbor, what was decoded and what is remembered add up to what was to be sent") {
  const quadratics q(team, n, 3);
  std::vector<overheard> notes(team);
  std::vector<std::map<std::string, std::vector<double>>> memories(team);
  const std::uint64_t steps = 40;
  const listening fed{error_feedback{sign{}}, &notes};
  const cross_gradients<plain, listening<error_feedback<sign>>> rule{.compressor = fed, .compress_own = true};
  (void)train_team(
      reference_backend{}, algorithm{rule, chain<>{}, gossip{.of = mixed::before_step}}, wheel(),
      equal_start<double>(team, std::vector<double>(n, 1.0)), [&](int i) { return q.of(i); }, steps,
      {.lr = {.base = 0.05}},
      [&](auto& one, std::uint64_t t) {
        if (t + 1 < steps) return;
        one.visit([&](const std::string& name, auto values) {
          if constexpr (requires { values.data; }) {
            if (!name.starts_with("gradient.")) return;
            const std::span<const double> numbers(reinterpret_cast<const double*>(values.data), values.size);
            memories[static_cast<std::size_t>(one.rank())][name] = {numbers.begin(), numbers.end()};
          }
        });
      });
  const mixing_matrix weights = wheel();
  for (int rank = 0; rank < team; ++rank) {
    const auto i = static_cast<std::size_t>(rank);
    const auto& sources = weights.row(0, rank).sources;
    CHECK(notes[i].by_edge.size() == sources.size());
    CHECK(memories[i].size() == sources.size());
    CHECK(notes[i].messages == steps * sources.size());
    CHECK(notes[i].stamps.size() == notes[i].messages);
    CHECK(notes[i].by_edge.count(0) == 0);  // where the parameters travel
    for (const int peer : sources) {
      CAPTURE(rank, peer);
      const std::string name =
          peer == rank ? "gradient.own.error_feedback" : text("gradient.to.", peer, ".error_feedback");
      REQUIRE(memories[i].count(name) == 1);
      const std::vector<double>& memory = memories[i].at(name);
      const sums& edge = notes[i].by_edge.at(1 + static_cast<std::uint32_t>(peer));
      double left = 0.0;
      for (std::size_t k = 0; k < n; ++k) {
        CHECK(edge.decoded[k] + memory[k] == within(edge.given[k], 1e-11));
        left += std::abs(memory[k]);
      }
      CHECK(left > 0.0);
    }
  }
}

TEST_CASE("a compressor that does not suit the way back is refused in a sentence") {
  const quadratics q(4, n, 3);
  const auto train = [&](const auto& rule, const mixing_matrix& weights) {
    (void)train_team(
        reference_backend{}, algorithm{rule, chain<>{}, gossip{.of = mixed::before_step}}, weights,
        equal_start<double>(4, std::vector<double>(n, 1.0)), [&](int i) { return q.of(i); }, 1);
  };
  const auto ring = mixing_matrix::metropolis(topology::ring(4));
  CHECK_THROWS_WITH(train(cross_gradients<plain, sign>{.data_share = 0.0}, ring),
                    Catch::Contains("data_share is 0, so nothing is sent back that a compressor could compress"));
  CHECK_THROWS_WITH(train(cross_gradients<plain>{.compress_own = true}, ring),
                    Catch::Contains("compress_own is set but there is no compressor"));
  CHECK_THROWS_WITH(train(cross_gradients{plain{}, error_feedback{qsgd{}}}, ring),
                    Catch::Contains("cross_gradients: the compressor is unbiased") &&
                        Catch::Contains("set its scale to scaling::contraction"));
  CHECK_NOTHROW(train(cross_gradients{plain{}, qsgd{}}, ring));
  CHECK_THROWS_WITH(train(cross_gradients{plain{}, qsgd{.bits = 9}}, ring), Catch::Contains("qsgd: bits is 9"));
  const std::vector<std::vector<topology::edge>> phases{{{0, 1}, {1, 0}, {2, 3}, {3, 2}},
                                                        {{1, 2}, {2, 1}, {0, 3}, {3, 0}}};
  CHECK_THROWS_WITH(
      train(cross_gradients{plain{}, sign{}}, mixing_matrix::metropolis(topology::graph("pairs", 4, phases))),
      Catch::Contains("the graph pairs changes over 2 phases, but what compression leaves out is kept for each "
                      "neighbor: take a graph that stays"));
}

}  // namespace
