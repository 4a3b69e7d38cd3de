// All that goes with compressed cross-gradients.
#include "combinations/parts.hpp"
#include "combinations/run.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder::test;

TEST_CASE("any update and mixing rule with any compressor follows its formulas with compressed cross-gradients") {
  CHECK(run_all(ground::ring(), compressed_gradients{}, updates{}, mixings{}) > 0);
  CHECK(run_all(ground::irregular(), compressed_gradients{}, updates{}, mixings{}) > 0);
}

}  // namespace
