#include "polder/topology/graph.hpp"

#include "topology/support.hpp"

using namespace polder;
using topology::edge;
using topology::from_edges;
using topology::graph;
using ranks = std::vector<int>;

TEST_CASE("neighbors are in rank order whatever the order of the edges") {
  const graph g = from_edges(5, {{4, 2}, {2, 0}, {3, 2}, {1, 2}});
  CHECK(heard(g, 2) == ranks{0, 1, 3, 4});
  CHECK(told(g, 2) == ranks{0, 1, 3, 4});
  CHECK(heard(g, 4) == ranks{2});
  CHECK(g.size() == 5);
  CHECK(g.period() == 1);
  CHECK(g.undirected());
  CHECK(g.max_in_degree() == 4);
  CHECK(g.messages() == 8);
}

TEST_CASE("a directed graph keeps senders and receivers apart") {
  const graph g = from_edges(4, {{0, 1}, {1, 2}, {2, 3}, {3, 0}, {0, 2}}, true, "shortcut");
  CHECK(g.name() == "shortcut");
  CHECK_FALSE(g.undirected());
  CHECK(told(g, 0) == ranks{1, 2});
  CHECK(heard(g, 0) == ranks{3});
  CHECK(heard(g, 2) == ranks{0, 1});
  CHECK(g.max_in_degree() == 2);
  CHECK(g.messages() == 5);
}

TEST_CASE("a directed list with both directions is undirected") {
  CHECK(from_edges(2, {{0, 1}, {1, 0}}, true).undirected());
}

TEST_CASE("rounds run through the phases again and again") {
  const graph g("alternating", 4, {{{0, 1}, {1, 0}}, {{2, 3}, {3, 2}}, {}});
  CHECK(g.period() == 3);
  CHECK(heard(g, 0, 0) == ranks{1});
  CHECK(heard(g, 0, 1).empty());
  CHECK(heard(g, 3, 1) == ranks{2});
  CHECK(heard(g, 3, 3'000'000'001) == ranks{2});
  CHECK(heard(g, 3, 2).empty());
  CHECK(g.messages() == 4);
}

TEST_CASE("connectivity is that of the union over a period") {
  const graph halves("halves", 4, {{{0, 1}, {1, 0}, {2, 3}, {3, 2}}, {{1, 2}, {2, 1}}});
  CHECK(halves.connected());
  CHECK_FALSE(from_edges(4, {{0, 1}, {2, 3}}).connected());
  CHECK(from_edges(4, {{0, 1}, {2, 3}}).broken_path() == edge{0, 2});
  CHECK(from_edges(1, {}).connected());
}

TEST_CASE("directed connectivity is strong") {
  const graph sink = from_edges(3, {{0, 1}, {1, 0}, {0, 2}}, true);
  CHECK(sink.broken_path() == edge{2, 0});
  const graph source = from_edges(3, {{0, 1}, {1, 0}, {2, 0}}, true);
  CHECK(source.broken_path() == edge{0, 2});
  CHECK(from_edges(3, {{0, 1}, {1, 2}, {2, 0}}, true).connected());
}

TEST_CASE("edges that cannot be are refused with their ranks") {
  const auto build = [](int workers, std::vector<edge> edges, bool directed = false) {
    return message_of<config_error>([&] { (void)from_edges(workers, edges, directed, "mine"); });
  };
  check_parts(build(3, {{0, 3}}), {"mine", "0 -> 3", "rank 3 is outside 0 .. 2"});
  check_parts(build(3, {{-1, 0}}), {"mine", "rank -1 is outside 0 .. 2"});
  check_parts(build(3, {{1, 1}}), {"mine", "1 -> 1", "self loop"});
  check_parts(build(3, {{1, 1}}, true), {"self loop"});
  check_parts(build(3, {{0, 1}, {1, 2}, {0, 1}}), {"0 -> 1", "twice", "list it once"});
  check_parts(build(3, {{0, 1}, {1, 0}}), {"0 -> 1", "twice"});
  check_parts(build(0, {}), {"of 0 workers", "1 to 65536"});
  check_parts(build(-5, {}), {"of -5 workers"});
  check_parts(build(65537, {}), {"of 65537 workers"});
  check_parts(message_of<config_error>([] { (void)graph("empty", 3, {}); }), {"empty", "no phase"});
}
