#include "polder/topology/graphs.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "polder/topology/davis.hpp"
#include "topology/support.hpp"

using namespace polder;
using topology::graph;
using ranks = std::vector<int>;

namespace {

int diameter(const graph& g) {
  int longest = 0;
  for (int start = 0; start < g.size(); ++start) {
    std::map<int, int> distance{{start, 0}};
    std::vector<int> frontier{start};
    while (!frontier.empty()) {
      std::vector<int> next;
      for (const int rank : frontier) {
        for (const int other : told(g, rank)) {
          if (distance.emplace(other, distance[rank] + 1).second) next.push_back(other);
        }
      }
      frontier = next;
    }
    for (const auto& [rank, steps] : distance) longest = std::max(longest, steps);
  }
  return longest;
}

std::map<int, int> degrees(const graph& g) {
  std::map<int, int> count;
  for (int rank = 0; rank < g.size(); ++rank) ++count[static_cast<int>(heard(g, rank).size())];
  return count;
}

}  // namespace

TEST_CASE("ring, chain, star and complete have the neighbors of their definition") {
  CHECK(heard(topology::ring(10), 0) == ranks{1, 9});
  CHECK(heard(topology::ring(10), 9) == ranks{0, 8});
  CHECK(heard(topology::chain(10), 0) == ranks{1});
  CHECK(heard(topology::chain(10), 5) == ranks{4, 6});
  CHECK(heard(topology::star(5), 0) == ranks{1, 2, 3, 4});
  CHECK(heard(topology::star(5), 3) == ranks{0});
  CHECK(heard(topology::complete(4), 2) == ranks{0, 1, 3});
  CHECK(diameter(topology::ring(10)) == 5);
  CHECK(diameter(topology::chain(10)) == 9);
}

TEST_CASE("the torus is a periodic grid") {
  const graph g = topology::torus(4, 5);
  CHECK(g.name() == "torus 4x5");
  CHECK(heard(g, 0) == ranks{1, 4, 5, 15});
  CHECK(heard(g, 19) == ranks{4, 14, 15, 18});
  CHECK(degrees(g) == std::map<int, int>{{4, 20}});
  CHECK(diameter(g) == 4);
}

TEST_CASE("a torus side of two joins two workers once") {
  CHECK(heard(topology::torus(2, 5), 0) == ranks{1, 4, 5});
  CHECK(heard(topology::torus(2, 2), 0) == ranks{1, 2});
}

TEST_CASE("a torus of n workers takes the most square sides") {
  CHECK(topology::torus(4).name() == "torus 2x2");
  CHECK(topology::torus(10).name() == "torus 2x5");
  CHECK(topology::torus(16).name() == "torus 4x4");
  CHECK(topology::torus(32).name() == "torus 4x8");
  CHECK(topology::torus(36).name() == "torus 6x6");
  CHECK(topology::torus(40).name() == "torus 5x8");
  CHECK(topology::torus(65536).name() == "torus 256x256");
  for (const int n : {1, 2, 3, 7, 31, 65521}) {
    check_parts(message_of<config_error>([&] { (void)topology::torus(n); }),
                {"torus of " + std::to_string(n), "another number of workers", "ring"});
  }
  check_parts(message_of<config_error>([] { (void)topology::torus(1, 8); }), {"torus 1x8", "at least 2"});
  check_parts(message_of<config_error>([] { (void)topology::torus(65536, 65536); }), {"65536x65536", "at most 65536"});
}

TEST_CASE("the hypercube joins ranks that differ in one bit") {
  CHECK(heard(topology::hypercube(8), 5) == ranks{1, 4, 7});
  CHECK(degrees(topology::hypercube(32)) == std::map<int, int>{{5, 32}});
  CHECK(diameter(topology::hypercube(32)) == 5);
  check_parts(message_of<config_error>([] { (void)topology::hypercube(12); }), {"12", "power of two", "exponential"});
}

TEST_CASE("the exponential graph reaches powers of two both ways") {
  CHECK(heard(topology::exponential(16), 0) == ranks{1, 2, 4, 8, 12, 14, 15});
  CHECK(heard(topology::exponential(10), 0) == ranks{1, 2, 4, 6, 8, 9});
  CHECK(heard(topology::exponential(11), 0) == ranks{1, 2, 3, 4, 7, 8, 9, 10});
  CHECK(degrees(topology::exponential(32)) == std::map<int, int>{{9, 32}});
}

TEST_CASE("one-peer exponential sends to one worker a round, at doubling distances") {
  const graph g = topology::one_peer_exponential(10);
  CHECK(g.period() == 4);
  CHECK_FALSE(g.undirected());
  CHECK(g.connected());
  CHECK(told(g, 7, 0) == ranks{8});
  CHECK(told(g, 7, 1) == ranks{9});
  CHECK(told(g, 7, 2) == ranks{1});
  CHECK(told(g, 7, 3) == ranks{5});
  CHECK(told(g, 7, 4) == ranks{8});
  CHECK(heard(g, 7, 3) == ranks{9});
  CHECK(topology::one_peer_exponential(8).period() == 3);
  CHECK(topology::one_peer_exponential(9).period() == 4);
  CHECK(topology::one_peer_exponential(2).period() == 1);
}

TEST_CASE("the binary tree hangs a heap under worker 0") {
  const graph g = topology::binary_tree(8);
  CHECK(heard(g, 0) == ranks{1});
  CHECK(heard(g, 1) == ranks{0, 2, 3});
  CHECK(heard(g, 3) == ranks{1, 6, 7});
  CHECK(heard(g, 4) == ranks{2});
  CHECK(g.messages() == 14);
}

TEST_CASE("the social network is the one of the Southern women") {
  const graph g = topology::social_network();
  CHECK(g.size() == 32);
  CHECK(g.messages() == 2 * 89);
  CHECK(g.undirected());
  CHECK(diameter(g) == 4);
  const std::map<int, int> found = degrees(g);
  CHECK(found.begin()->first == 2);
  CHECK(found.rbegin()->first == 14);
  for (int woman = 0; woman < 18; ++woman) {
    for (const int event : heard(g, woman)) CHECK(event >= 18);
  }
}

TEST_CASE("one worker is a graph without edges") {
  for (const graph& g :
       {topology::ring(1), topology::chain(1), topology::star(1), topology::complete(1), topology::hypercube(1),
        topology::exponential(1), topology::one_peer_exponential(1), topology::binary_tree(1)}) {
    INFO(g.name());
    CHECK(g.size() == 1);
    CHECK(g.messages() == 0);
    CHECK(g.period() == 1);
    CHECK(g.connected());
  }
}

TEST_CASE("two workers share one edge, listed once") {
  for (const graph& g :
       {topology::ring(2), topology::chain(2), topology::star(2), topology::complete(2), topology::hypercube(2),
        topology::exponential(2), topology::one_peer_exponential(2), topology::binary_tree(2)}) {
    INFO(g.name());
    CHECK(heard(g, 0) == ranks{1});
    CHECK(heard(g, 1) == ranks{0});
    CHECK(g.messages() == 2);
  }
}

TEST_CASE("every graph of every size is connected and has sorted neighbors without loops and repetitions") {
  const auto check_graph = [](const graph& g) {
    INFO(g.name() << " of " << g.size());
    CHECK(g.connected());
    CHECK(g.undirected() == (g.name() != "one-peer exponential" || g.size() <= 2));
    bool sorted = true;
    for (std::size_t phase = 0; phase < g.period(); ++phase) {
      for (int rank = 0; rank < g.size(); ++rank) {
        for (const ranks& list : {heard(g, rank, phase), told(g, rank, phase)}) {
          const std::set<int> unique(list.begin(), list.end());
          sorted = sorted && ranks(unique.begin(), unique.end()) == list && !unique.contains(rank);
        }
      }
    }
    CHECK(sorted);
  };
  for (int n = 1; n <= 40; ++n) {
    for (const auto make : {topology::ring, topology::chain, topology::star, topology::complete, topology::exponential,
                            topology::one_peer_exponential, topology::binary_tree}) {
      check_graph(make(n));
    }
    if ((n & (n - 1)) == 0) check_graph(topology::hypercube(n));
    if (n % 2 == 0 && n >= 4) check_graph(topology::torus(n));
  }
}

TEST_CASE("a number of workers that cannot be is refused by name") {
  using factory = graph (*)(int);
  const std::vector<std::pair<std::string, factory>> factories{{"ring", topology::ring},
                                                               {"chain", topology::chain},
                                                               {"star", topology::star},
                                                               {"complete", topology::complete},
                                                               {"torus", static_cast<factory>(topology::torus)},
                                                               {"hypercube", topology::hypercube},
                                                               {"exponential", topology::exponential},
                                                               {"one_peer_exponential", topology::one_peer_exponential},
                                                               {"binary_tree", topology::binary_tree}};
  for (const auto& [name, make] : factories) {
    for (const int n : {0, -1, 65537, 2'147'483'647, -2'147'483'647 - 1}) {
      check_parts(message_of<config_error>([&] { (void)make(n); }), {name + " of " + std::to_string(n), "1 to 65536"});
    }
  }
}
