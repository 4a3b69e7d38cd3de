// The parts of polder-sharpness that need no model: how much is done, and what fits into memory.
#include <cstddef>
#include <span>
#include <vector>

#include "sharpness/memory.hpp"
#include "sharpness/meter.hpp"
#include "support/catch.hpp"

using namespace polder_sharpness;

TEST_CASE("the share that is done never goes back, whatever measures take more or less than their share") {
  meter work;
  work.begin("sharpness", 10.0);
  CHECK(work.share_done() == 0.0);
  work.enter("eigenvalues", 4.0);
  CHECK(work.share_done() == 0.0);
  work.work(3.0);
  CHECK(work.share_done() == Approx(0.3));
  work.work(50.0);
  CHECK(work.share_done() == Approx(0.4));
  work.enter("low_pass", 5.0);
  CHECK(work.share_done() == Approx(0.4));
  work.work(1.0);
  CHECK(work.share_done() == Approx(0.5));
  // It ends before its share is used up: the next one begins at its end all the same.
  work.enter("shannon_entropy", 1.0);
  CHECK(work.share_done() == Approx(0.9));
  work.work(1.0);
  CHECK(work.share_done() == 1.0);
  work.end();
}

TEST_CASE("nothing to do is done") {
  meter work;
  work.begin("sharpness", 0.0);
  work.enter("pac_bayes", 0.0);
  work.work(1.0);
  CHECK(work.share_done() == 1.0);
}

TEST_CASE("the measure that keeps most directions counts, and none keeps more than there are parameters") {
  options o;
  o.measures = {"loss", "eigenvalues", "hutch_plus_plus"};
  o.products = 90;
  CHECK(most_directions(o, 1000).measure == "eigenvalues");
  CHECK(most_directions(o, 1000).bytes(1000) == 90.0 * 1000.0 * 8.0);
  CHECK(most_directions(o, 10).bytes(10) == 10.0 * 10.0 * 8.0);
  o.measures = {"loss", "hutch_plus_plus"};
  CHECK(most_directions(o, 1000).count == 30);
  o.spectrum = "x.svg";
  CHECK(most_directions(o, 1000).measure == "--spectrum");
  CHECK(most_directions(o, 1000).count == 80);
  o.spectrum.clear();
  o.measures = {"loss"};
  CHECK(most_directions(o, 1000).bytes(1000) == 0.0);
}

TEST_CASE("a block that is kept holds its samples' numbers, the parameters, a direction and a product") {
  const std::vector<std::size_t> blocks{10, 10, 20};
  // 4 bytes x (7 x 10 + 3 x 50) = 880, 880 and 1160.
  CHECK(kept_blocks(blocks, 7, 50, 879.0) == 0);
  CHECK(kept_blocks(blocks, 7, 50, 880.0) == 1);
  CHECK(kept_blocks(blocks, 7, 50, 1759.0) == 1);
  CHECK(kept_blocks(blocks, 7, 50, 1760.0) == 2);
  CHECK(kept_blocks(blocks, 7, 50, 2920.0) == 3);
  CHECK(kept_blocks(blocks, 7, 50, -1.0) == 0);
}
