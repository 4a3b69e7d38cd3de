// All that goes with gradients taken at one point.
#include "combinations/parts.hpp"
#include "combinations/run.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder::test;

TEST_CASE("any update and mixing rule with any compressor follows its formulas with the gradient at a point") {
  CHECK(run_all(ground::ring(), point_gradients{}, updates{}, mixings{}) > 0);
  CHECK(run_all(ground::irregular(), point_gradients{}, updates{}, mixings{}) > 0);
}

}  // namespace
