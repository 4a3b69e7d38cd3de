#include "polder/core/layout.hpp"

#include "support/catch.hpp"

using namespace polder;

TEST_CASE("tensors follow each other without gaps", "[layout]") {
  layout table;
  CHECK(table.size() == 0);
  CHECK(table.add("conv1.weight", {6, 1, 5, 5}) == 0);
  CHECK(table.add("conv1.bias", {6}) == 150);
  CHECK(table.add("scale", {}) == 156);
  CHECK(table.size() == 157);
  REQUIRE(table.tensors().size() == 3);
  CHECK(table.tensors()[0].name == "conv1.weight");
  CHECK(table.tensors()[0].size() == 150);
  CHECK(table.tensors()[1].offset == 150);
  CHECK(table.tensors()[1].shape == std::vector<std::size_t>{6});
  CHECK(table.tensors()[2].size() == 1);
}

TEST_CASE("an objective without tensors has a layout of one vector", "[layout]") {
  const layout table(20);
  CHECK(table.size() == 20);
  REQUIRE(table.tensors().size() == 1);
  CHECK(table.tensors()[0].shape == std::vector<std::size_t>{20});
  CHECK(layout(0).size() == 0);
}
