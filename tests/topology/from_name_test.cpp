#include "polder/topology/from_name.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "topology/support.hpp"

using namespace polder;
using topology::from_name;
using topology::graph;

TEST_CASE("each allowed name makes the graph of its function") {
  CHECK(from_name("ring", 10) == topology::ring(10));
  CHECK(from_name("chain", 10) == topology::chain(10));
  CHECK(from_name("star", 10) == topology::star(10));
  CHECK(from_name("complete", 10) == topology::complete(10));
  CHECK(from_name("torus", 12) == topology::torus(3, 4));
  CHECK(from_name("torus:2x6", 12) == topology::torus(2, 6));
  CHECK(from_name("hypercube", 16) == topology::hypercube(16));
  CHECK(from_name("exponential", 10) == topology::exponential(10));
  CHECK(from_name("one_peer_exponential", 10) == topology::one_peer_exponential(10));
  CHECK(from_name("binary_tree", 10) == topology::binary_tree(10));
  CHECK(from_name("social_network", 32) == topology::social_network());
}

TEST_CASE("edges:FILE reads the file for the given number of workers") {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("polder_from_name_" + std::to_string(::getpid()))).string();
  std::ofstream(path) << "0 1\n1 2\n";
  CHECK(from_name("edges:" + path, 4).size() == 4);
  CHECK_THROWS_AS(from_name("edges:" + path, 2), data_error);
  check_parts(message_of<config_error>([&] { (void)from_name("edges:" + path, 0); }), {"0 workers"});
  std::filesystem::remove(path);
  CHECK_THROWS_AS(from_name("edges:", 4), data_error);
}

TEST_CASE("an unknown name is refused with the names that are allowed") {
  for (const char* name : {"rign", "", "Ring", "ring ", "tor", "torus2x5"}) {
    const std::string message = message_of<config_error>([&] { (void)from_name(name, 10); });
    check_parts(message, {"unknown topology '" + std::string(name) + "'", "ring", "chain", "star", "complete", "torus",
                          "torus:ROWSxCOLUMNS", "hypercube", "exponential", "one_peer_exponential", "binary_tree",
                          "social_network", "edges:FILE"});
  }
}

TEST_CASE("torus sides must be numbers whose product is the number of workers") {
  for (const char* sides : {"", "x", "2", "2x", "x5", "2x5x1", "2*5", "2x5 ", "ax5", "99999999999x2"}) {
    check_parts(message_of<config_error>([&] { (void)from_name(std::string("torus:") + sides, 10); }),
                {"torus:" + std::string(sides), "torus:2x5"});
  }
  check_parts(message_of<config_error>([] { (void)from_name("torus:2x6", 10); }), {"torus:2x6", "12", "10"});
  check_parts(message_of<config_error>([] { (void)from_name("torus:1x10", 10); }), {"1x10", "at least 2"});
  CHECK_THROWS_AS(from_name("torus:-2x-5", 10), config_error);
}

TEST_CASE("a graph of fixed size refuses other sizes") {
  check_parts(message_of<config_error>([] { (void)from_name("social_network", 10); }), {"social_network", "32", "10"});
  CHECK_THROWS_AS(from_name("hypercube", 10), config_error);
  CHECK_THROWS_AS(from_name("torus", 7), config_error);
}
