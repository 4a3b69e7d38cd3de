// The types that are not in the lists of the other tests: rules that stand alone, and each compressor in its places.
#include "combinations/parts.hpp"
#include "combinations/run.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;
using namespace polder::test;

TEST_CASE("any mixing rule of one compressor goes with update rules that observe the mixing and that do not") {
  CHECK(run_all(ground::irregular(), part_list<plain>{}, part_list<momentum, quasi_global_momentum>{},
                single_mixings{}) > 0);
}

TEST_CASE("gradients go back through any compressor") {
  CHECK(run_all(ground::irregular(), single_gradients{}, part_list<momentum>{}, part_list<gossip>{}) > 0);
}

}  // namespace
