#include "polder/io/csv.hpp"

#include <vector>

#include "io/support.hpp"

using namespace polder;
using test::fails_with;

namespace {

io::csv_table<double> parse(std::string_view text) { return io::parse_csv<double>(io::as_bytes(text), "input"); }
bool refused(std::string_view text, std::string_view why) {
  INFO(text);
  return fails_with([&] { (void)parse(text); }, "'input'", why);
}

}  // namespace

TEST_CASE("tables are read with any of the three separators") {
  for (const std::string_view text : {"1,2\n3,4\n", "1;2\n3;4", "1\t2\r\n3\t4\r\n", "\n 1 , 2 \n\n+3,4e0\n\n"}) {
    const auto table = parse(text);
    CHECK(table.rows == 2);
    CHECK(table.columns == 2);
    CHECK(table.values == std::vector<double>{1, 2, 3, 4});
    CHECK(table.header.empty());
    CHECK(table.row(1)[0] == 3);
  }
  CHECK(parse("7\n8\n").columns == 1);
}

TEST_CASE("a first line without any number is a header") {
  const auto table = parse("\xEF\xBB\xBFlabel, pixel 1\n5,0.5\n");
  CHECK(table.header == std::vector<std::string>{"label", "pixel 1"});
  CHECK(table.values == std::vector<double>{5, 0.5});
}

TEST_CASE("a malformed table is refused with line and field") {
  CHECK(refused("", "no line of numbers"));
  CHECK(refused("\n\n", "no line of numbers"));
  CHECK(refused("a,b\n", "no line of numbers"));
  CHECK(refused("1,2\n3\n", "line 2 has 1 fields, the first line has 2"));
  CHECK(refused("a,b\n\n1,2,3\n", "line 3 has 3 fields"));
  CHECK(refused("1,2\n3,x\n", "line 2, field 2: 'x'"));
  CHECK(refused("1,x\n3,4\n", "line 1, field 2: 'x'"));
  CHECK(refused("1,2\n3,\n", "line 2, field 2: ''"));
  CHECK(refused("1,2\n3,nan\n", "finite"));
  CHECK(refused("1,2\n3,1e999\n", "finite"));
  CHECK(refused("1;2,5\n", "field 1: '1;2'"));
  CHECK(refused("1,+-2\n", "field 2"));
}
