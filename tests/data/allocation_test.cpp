// A step of training takes no memory from the system for its minibatch, augmented or not.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // a sanitizer brings its own operator new

#include <cstdint>
#include <numeric>
#include <vector>

#include "data/support.hpp"
#include "polder/data/loader.hpp"
#include "support/allocation_watch.hpp"

using namespace polder;

TEST_CASE("a loader allocates nothing once it stands, whatever epoch is asked for") {
  data::dataset set;
  set.name = "grey";
  set.shape = {3, 8, 8};
  set.classes = 1;
  set.labels.assign(100, 0);
  set.pixels = std::vector<std::uint8_t>(100 * set.shape.size(), 128);
  std::vector<std::size_t> shard(100);
  std::iota(shard.begin(), shard.end(), std::size_t{0});
  for (const data::augmentation& how : {data::augmentation{}, data::crop_flip}) {
    test::watching = true;
    const long before_all = test::allocations;
    data::loader<float> loader(set, shard, 16, 1, 0, how);
    CHECK(test::allocations > before_all);  // the watch works: the buffers at least were counted
    const long before = test::allocations;
    for (std::uint64_t step = 0; step < 20; ++step) {
      (void)loader.select(step);
      (void)loader.select_probe(step);
    }
    test::watching = false;
    CHECK(test::allocations == before);
  }
}

#endif
