#include "polder/topology/edge_list.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "topology/support.hpp"

using namespace polder;
using topology::graph;
using topology::parse_edge_list;
using topology::read_edge_list;
using ranks = std::vector<int>;

namespace {

std::string refusal(std::string_view content, int workers = 0, bool directed = false) {
  return message_of<data_error>([&] { (void)parse_edge_list(content, "f.txt", workers, directed); });
}

struct temporary_file {
  std::string path =
      (std::filesystem::temp_directory_path() / ("polder_edge_list_" + std::to_string(::getpid()))).string();
  explicit temporary_file(std::string_view content) { std::ofstream(path, std::ios::binary) << content; }
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;
  ~temporary_file() { std::filesystem::remove(path); }
};

}  // namespace

TEST_CASE("an edge list has blanks, comments, empty lines and any line ends") {
  const graph g = parse_edge_list("# my graph\n\n 0 1\n2\t1 # back\r\n   \r\n#\n3  0", "f.txt");
  CHECK(g.name() == "edges of f.txt");
  CHECK(g.size() == 4);
  CHECK(g.undirected());
  CHECK(heard(g, 1) == ranks{0, 2});
  CHECK(heard(g, 3) == ranks{0});
}

TEST_CASE("an edge list may be directed and for more workers than it names") {
  const graph g = parse_edge_list("0 1\n1 0\n1 2\n", "f.txt", 5, true);
  CHECK(g.size() == 5);
  CHECK_FALSE(g.undirected());
  CHECK(told(g, 1) == ranks{0, 2});
  CHECK(told(g, 2).empty());
}

TEST_CASE("a malformed edge list is refused with its line number") {
  check_parts(refusal("0 1\n1 -2\n"), {"f.txt, line 2", "rank -2", "outside"});
  check_parts(refusal("0 1\n\n# c\n1 4\n", 4), {"f.txt, line 4", "rank 4 is outside 0 .. 3"});
  check_parts(refusal("0 65536"), {"line 1", "rank 65536"});
  check_parts(refusal("0 99999999999999999999"), {"line 1", "'99999999999999999999' is not the rank"});
  check_parts(refusal("0 1\nzero one\n"), {"line 2", "'zero' is not the rank"});
  check_parts(refusal("0,1\n"), {"line 1", "'0,1' is not the rank"});
  check_parts(refusal("0, 1\n"), {"line 1", "'0,' is not the rank"});
  check_parts(refusal("0 1.5\n"), {"line 1", "'1.5'"});
  check_parts(refusal("0 0x1\n"), {"line 1", "'0x1'"});
  check_parts(refusal("+0 1\n"), {"line 1", "'+0'"});
  check_parts(refusal("0 1\n7\n"), {"line 2", "rank 7 alone"});
  check_parts(refusal("0 1\n7 # 1\n"), {"line 2", "rank 7 alone"});
  check_parts(refusal("0 1 2\n"), {"line 1", "'2' after the two ranks"});
  check_parts(refusal("0 1\n3 3\n"), {"line 2", "worker 3 is joined to itself"});
}

TEST_CASE("a repeated edge is refused with both lines") {
  check_parts(refusal("0 1\n1 2\n0 1\n"), {"line 3", "edge 0 1", "already on line 1"});
  check_parts(refusal("0 1\n1 2\n2 1\n"), {"line 3", "edge 1 2", "already on line 2", "listed once"});
  check_parts(refusal("0 1\n1 0\n0 1\n", 0, true), {"line 3", "edge 0 1", "already on line 1"});
}

TEST_CASE("an edge list without edges is refused") {
  check_parts(refusal(""), {"f.txt has no edge"});
  check_parts(refusal("\n\n# 0 1\n"), {"f.txt has no edge"});
}

TEST_CASE("binary rubbish is refused with a printable message") {
  std::string rubbish = "0 1\n\x7f";
  rubbish += std::string("ELF\0\x01\xff\xfe", 7) + std::string(100000, 'x');
  const std::string message = refusal(rubbish);
  check_parts(message, {"line 2", "ELF???"});
  CHECK(message.size() < 200);
  CHECK(std::all_of(message.begin(), message.end(), [](char c) { return c >= ' ' && c <= '~'; }));
}

TEST_CASE("every prefix of a good edge list is a graph or a data_error") {
  const std::string good = "# ring\r\n0 1\n1\t2 # x\n10 11\n";
  for (std::size_t length = 0; length <= good.size(); ++length) {
    try {
      const graph g = parse_edge_list(good.substr(0, length), "f.txt");
      CHECK(g.messages() > 0);
    } catch (const data_error& error) {
      CHECK(std::string(error.what()).find("f.txt") == 0);
    }
  }
}

TEST_CASE("a number of workers that cannot be is the caller's error") {
  CHECK_THROWS_AS(parse_edge_list("0 1", "f.txt", -1), config_error);
  CHECK_THROWS_AS(parse_edge_list("0 1", "f.txt", 65537), config_error);
}

TEST_CASE("an edge list is read from a file") {
  const temporary_file file("0 1\n1 2\n2 0\n");
  const graph g = read_edge_list(file.path);
  CHECK(g.size() == 3);
  CHECK(heard(g, 0) == ranks{1, 2});
  CHECK(read_edge_list(file.path, 3, true).connected());
  check_parts(message_of<data_error>([&] { (void)read_edge_list(file.path, 2); }),
              {file.path, "line 2", "rank 2 is outside 0 .. 1"});
}

TEST_CASE("a file that cannot be read is refused by name") {
  check_parts(message_of<data_error>([] { (void)read_edge_list("/no/such/list.txt"); }),
              {"cannot open", "/no/such/list.txt"});
  const std::string folder = std::filesystem::temp_directory_path().string();
  check_parts(message_of<data_error>([&] { (void)read_edge_list(folder); }), {"cannot", folder});
}

TEST_CASE("a file without end is refused") {
  if (!std::filesystem::exists("/dev/zero")) {
    WARN("skipped: there is no /dev/zero here");
    return;
  }
  check_parts(message_of<data_error>([] { (void)read_edge_list("/dev/zero"); }), {"/dev/zero", "longer than"});
}
