#include "polder/topology/requirements.hpp"

#include "polder/topology/graphs.hpp"
#include "topology/support.hpp"

using namespace polder;
using topology::check;
using topology::mixing_matrix;
using topology::requirements;
using numbers = std::vector<double>;

namespace {

std::string refusal(const mixing_matrix& w, const requirements& needs = {}) {
  return message_of<config_error>([&] { check(w, needs); });
}
mixing_matrix dense(int workers, const numbers& w) { return mixing_matrix::from_dense(workers, w, "mine"); }

}  // namespace

TEST_CASE("uniform weights on an irregular graph would move the mean, and the check says so") {
  const mixing_matrix w = mixing_matrix::uniform(topology::star(5));
  check_parts(refusal(w), {"star", "phase 0", "worker 0 sum to 2.2", "1 + 1.2", "not to 1", "Metropolis"});
  CHECK_NOTHROW(check(w, {.column_sums = false}));
}

TEST_CASE("a row that does not sum to one is named with phase, worker and sum") {
  const mixing_matrix w = dense(2, {0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25, 0.5});
  check_parts(refusal(w), {"mine", "phase 1", "weights of worker 1 sum to 0.75", "1 - 0.25"});
  check_parts(refusal(w, {.row_sums = false}), {"phase 1", "give worker 0 sum to 0.75"});
  CHECK_NOTHROW(check(w, {.row_sums = false, .column_sums = false}));
}

TEST_CASE("sums may miss one by rounding, not by six printed digits") {
  CHECK_NOTHROW(check(dense(2, {0.5, 0.5 + 5e-13, 0.5 + 5e-13, 0.5})));
  check_parts(refusal(dense(3, {0.333333, 0.333333, 0.333333,  //
                                0.333333, 0.333333, 0.333333,  //
                                0.333333, 0.333333, 0.333333})),
              {"worker 0", "1 - 1e-06"});
}

TEST_CASE("negative weights are named with both workers") {
  const mixing_matrix w = dense(2, {1.5, -0.5, -0.5, 1.5});
  check_parts(refusal(w), {"phase 0", "worker 0 for worker 1 is -0.5", "consensus step"});
  CHECK_NOTHROW(check(w, {.non_negative = false}));
}

TEST_CASE("workers that only swap their parameters are refused") {
  const mixing_matrix swap = dense(2, {0, 1, 1, 0});
  check_parts(refusal(swap), {"worker 0", "own parameters the weight 0", "damped(0.5)"});
  CHECK_NOTHROW(check(swap, {.own_share = false}));
  CHECK_NOTHROW(check(swap.damped(0.5)));
}

TEST_CASE("a graph that falls apart is refused with two workers that never meet") {
  const mixing_matrix w = mixing_matrix::metropolis(topology::from_edges(4, {{0, 1}, {2, 3}}, false, "halves"));
  check_parts(refusal(w), {"halves", "worker 0 ever reaches worker 2", "1 phase", "add edges"});
  CHECK_NOTHROW(check(w, {.connected = false}));
}

TEST_CASE("phases that are connected only together pass; one of them alone does not") {
  const topology::graph both("both", 4, {{{0, 1}, {1, 0}, {2, 3}, {3, 2}}, {{1, 2}, {2, 1}, {0, 3}, {3, 0}}});
  CHECK_NOTHROW(check(mixing_matrix::metropolis(both), {.symmetric = true}));
  const topology::graph one("one", 4, {{{0, 1}, {1, 0}, {2, 3}, {3, 2}}, {}});
  check_parts(refusal(mixing_matrix::metropolis(one)), {"worker 0 ever reaches worker 2", "2 phases"});
}

TEST_CASE("one-peer exponential is connected over its period and in no single phase of distance above one") {
  const topology::graph whole = topology::one_peer_exponential(16);
  CHECK_NOTHROW(check(mixing_matrix::uniform(whole)));
  for (int distance = 1; distance < 16; distance *= 2) {
    std::vector<topology::edge> sends;
    for (int i = 0; i < 16; ++i) sends.push_back({i, (i + distance) % 16});
    const mixing_matrix phase = mixing_matrix::uniform(topology::from_edges(16, sends, true));
    if (distance == 1) {
      CHECK_NOTHROW(check(phase));
    } else {
      check_parts(refusal(phase), {"worker 0 ever reaches worker 1,"});
    }
  }
}

TEST_CASE("messages that go one way only are not a connection") {
  const mixing_matrix w = mixing_matrix::uniform(topology::from_edges(3, {{0, 1}, {1, 2}}, true, "one way"));
  check_parts(refusal(w, {.column_sums = false}), {"one way", "worker 1 ever reaches worker 0"});
}

TEST_CASE("symmetry is asked for only by rules that need it, and then with the rule's sentence") {
  const mixing_matrix w = mixing_matrix::uniform(topology::one_peer_exponential(4));
  CHECK_NOTHROW(check(w));
  check_parts(refusal(w, {.symmetric = true, .because = "D2 needs real eigenvalues"}),
              {"phase 0", "worker 0 gives worker 3 the weight 0.5", "gives back 0", "(D2 needs real eigenvalues)",
               "Metropolis"});
  const std::string plain = refusal(w, {.symmetric = true});
  CHECK(plain.find('(') == std::string::npos);
}

TEST_CASE("an asymmetry is found in any phase and below the diagonal") {
  const mixing_matrix w = dense(3, {1, 0, 0, 0, 1, 0, 0, 0, 1,  //
                                    0.5, 0.25, 0.25, 0.25, 0.5, 0.25, 0.25, 0.5, 0.25});
  const auto pair = topology::find_asymmetry(w);
  REQUIRE(pair);
  CHECK(pair->phase == 1);
  CHECK(pair->to == 1);
  CHECK(pair->from == 2);
  CHECK(pair->weight == 0.25);
  CHECK(pair->back == 0.5);
  CHECK_FALSE(topology::find_asymmetry(mixing_matrix::metropolis(topology::star(9))));
}
