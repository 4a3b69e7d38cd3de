#include "polder/data/loader.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include "data/support.hpp"

using namespace polder;
using test::fails_with;

namespace {

std::vector<std::size_t> every_other(std::size_t count) {
  std::vector<std::size_t> shard;
  for (std::size_t i = 0; i < count; ++i) shard.push_back(2 * i);
  return shard;
}

std::vector<std::size_t> seen_in_epoch(data::loader<float>& loader, std::uint64_t epoch) {
  std::vector<std::size_t> seen;
  for (std::uint64_t s = 0; s < loader.steps_per_epoch(); ++s) {
    const auto chosen = loader.indices(epoch * loader.steps_per_epoch() + s);
    seen.insert(seen.end(), chosen.begin(), chosen.end());
  }
  return seen;
}

}  // namespace

TEST_CASE("an epoch covers the shard exactly once, in another order each time") {
  const auto images = test::numbered(200, 10);
  data::loader<float> loader(images, every_other(100), 20, 1, 0);
  CHECK(loader.steps_per_epoch() == 5);
  const auto first = seen_in_epoch(loader, 0);
  const auto second = seen_in_epoch(loader, 1);
  for (auto order : {first, second}) {
    CHECK_FALSE(std::ranges::is_sorted(order));
    std::ranges::sort(order);
    CHECK(order == every_other(100));
  }
  CHECK(first != second);
}

TEST_CASE("the incomplete last batch is dropped, another one each epoch") {
  const auto images = test::numbered(100, 10);
  data::loader<float> loader(images, every_other(47), 10, 1, 0);
  CHECK(loader.steps_per_epoch() == 4);
  std::set<std::size_t> seen;
  for (std::uint64_t epoch = 0; epoch < 20; ++epoch) {
    const auto chosen = seen_in_epoch(loader, epoch);
    CHECK(std::set(chosen.begin(), chosen.end()).size() == 40);
    seen.insert(chosen.begin(), chosen.end());
  }
  CHECK(seen.size() == 47);
}

TEST_CASE("the minibatch of a step does not depend on what was asked before") {
  const auto images = test::numbered(200, 10);
  data::loader<float> straight(images, every_other(100), 8, 3, 2);
  std::vector<std::vector<std::size_t>> expected;
  for (std::uint64_t step = 0; step < 60; ++step) {
    const auto chosen = straight.indices(step);
    expected.emplace_back(chosen.begin(), chosen.end());
  }
  data::loader<float> resumed(images, every_other(100), 8, 3, 2);
  for (const std::uint64_t step : {59u, 0u, 30u, 29u, 12u, 59u}) {
    const auto chosen = resumed.indices(step);
    CHECK(std::vector<std::size_t>(chosen.begin(), chosen.end()) == expected[step]);
  }
}

TEST_CASE("seed and worker decide the order") {
  const auto images = test::numbered(200, 10);
  const auto order = [&](std::uint64_t seed, std::uint32_t worker) {
    data::loader<float> loader(images, every_other(100), 10, seed, worker);
    return seen_in_epoch(loader, 0);
  };
  CHECK(order(1, 0) == order(1, 0));
  CHECK(order(1, 0) != order(2, 0));
  CHECK(order(1, 0) != order(1, 1));
}

TEST_CASE("a selected minibatch holds the images and labels of its indices, in buffers that stay") {
  const auto images = test::numbered(200, 10);
  data::loader<double> loader(images, every_other(100), 16, 1, 0);
  const double* const buffer = loader.select(0).images.data();
  for (std::uint64_t step = 0; step < 20; ++step) {
    const auto batch = loader.select(step);
    const auto chosen = loader.indices(step);
    REQUIRE(batch.size() == 16);
    CHECK(batch.images.data() == buffer);
    for (std::size_t i = 0; i < 16; ++i) {
      CHECK(batch.images[i] == static_cast<double>(chosen[i]));
      CHECK(batch.labels[i] == static_cast<std::int32_t>(chosen[i] % 10));
    }
    CHECK(loader.batch().images.data() == buffer);
  }
}

TEST_CASE("a loader without one full batch, or with images that are not there, is refused") {
  const auto images = test::numbered(200, 10);
  const auto made = [&](std::vector<std::size_t> shard, std::size_t batch) {
    return [&images, shard, batch] { data::loader<float>(images, shard, batch, 1, 4); };
  };
  CHECK(fails_with<config_error>(made(every_other(31), 32), "worker 4 has 31 images", "batch size 32", "zero steps"));
  CHECK(fails_with<config_error>(made(every_other(31), 0), "batch size of 0"));
  CHECK(fails_with<config_error>(made(every_other(101), 32), "image 200 of 200"));
}

TEST_CASE("a probe batch draws from the whole data set, as a function of seed, worker and step") {
  const auto images = test::numbered(200, 10);
  data::loader<float> loader(images, every_other(100), 20, 1, 0), same(images, every_other(100), 20, 1, 0);
  data::loader<float> other(images, every_other(100), 20, 1, 1);
  const auto probe = [](data::loader<float>& from, std::uint64_t step) {
    const auto batch = from.select_probe(step);
    return std::vector<float>(batch.images.begin(), batch.images.end());
  };
  bool outside = false;
  for (std::uint64_t step = 0; step < 5; ++step) {
    const auto drawn = probe(loader, step);
    CHECK(drawn.size() == 20);
    CHECK(drawn != probe(loader, step + 1));
    CHECK(drawn != probe(other, step));
    for (const float image : drawn) outside = outside || static_cast<int>(image) % 2 == 1;
  }
  CHECK(outside);  // the shard has the even images
  (void)same.select(3);
  CHECK(probe(same, 3) == probe(loader, 3));
}
