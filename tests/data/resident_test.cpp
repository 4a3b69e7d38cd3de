// Minibatches gathered in a backend's memory, against those gathered on the host.
#include "polder/data/resident.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "data/support.hpp"
#include "polder/backend/reference.hpp"
#include "polder/data/batch.hpp"
#include "polder/data/loader.hpp"

using namespace polder;
using test::fails_with;

namespace {

constexpr std::size_t count = 40;

data::dataset pictures(bool bytes, bool normalized) {
  data::dataset set;
  set.name = "pictures";
  set.shape = {3, 6, 7};
  set.classes = 5;
  random_stream random({.seed = 8});
  std::vector<std::uint8_t> raw(count * set.shape.size());
  for (std::uint8_t& pixel : raw) pixel = static_cast<std::uint8_t>(1 + random.below(255));
  for (std::size_t i = 0; i < count; ++i) set.labels.push_back(static_cast<std::int32_t>(random.below(5)));
  if (bytes) {
    set.pixels = raw;
  } else {
    set.pixels = std::vector<float>(raw.begin(), raw.end());
  }
  set.scale = 1.0 / 255;
  if (normalized) set.normalization = {{0.4, 0.5, 0.1}, {0.2, 0.25, 0.3}};
  return set;
}

/// Whether all pixels and labels of the loader's own minibatch are those gathered in the backend's memory.
template <class T>
void compare(const data::dataset& set, data::augmentation how) {
  const reference_backend backend;
  std::vector<std::size_t> shard(count);
  for (std::size_t i = 0; i < count; ++i) shard[i] = count - 1 - i;
  data::loader<T> loader(set, shard, 12, 77, 2, how);
  const data::resident_dataset<T, reference_backend> resident(set, backend);
  data::resident_batch<T, reference_backend> batch(resident, backend, 12);
  for (std::uint64_t step = 0; step < 8; ++step) {
    const data::batch_view<T> expected = loader.select(step);
    batch.gather(loader.indices(step), loader.changes(), loader.key(step));
    const std::span<const T> images = batch.images();
    const std::size_t area = set.shape.height * set.shape.width;
    std::size_t different = 0;
    for (std::size_t n = 0; n < expected.size(); ++n) {
      for (std::size_t c = 0; c < set.shape.channels; ++c) {
        for (std::size_t p = 0; p < area; ++p) {
          const T mine = images[(c * expected.size() + n) * area + p];
          different += mine == expected.images[(n * set.shape.channels + c) * area + p] ? 0 : 1;
        }
      }
    }
    CHECK(different == 0);
    const std::span<const std::int32_t> labels = batch.labels();
    CHECK(std::vector<std::int32_t>(labels.begin(), labels.end()) ==
          std::vector<std::int32_t>(expected.labels.begin(), expected.labels.end()));
  }
}

}  // namespace

TEST_CASE("a minibatch gathered in a backend's memory has the numbers of the host's, channels first") {
  for (const bool bytes : {true, false}) {
    for (const bool normalized : {true, false}) {
      const data::dataset set = pictures(bytes, normalized);
      compare<float>(set, {});
      compare<double>(set, {.padding = 3, .flip = true});
      compare<float>(set, {.padding = 5});
      compare<float>(set, {.flip = true});
    }
  }
}

TEST_CASE("a resident batch refuses images that are not there") {
  const reference_backend backend;
  const data::dataset set = pictures(true, true);
  const data::resident_dataset<float, reference_backend> resident(set, backend);
  CHECK(resident.size() == count);
  CHECK(resident.classes() == 5);
  data::resident_batch<float, reference_backend> batch(resident, backend, 2);
  const std::vector<std::size_t> missing{1, count}, many{1, 2, 3};
  CHECK(fails_with<config_error>([&] { batch.gather(missing); }, "there is no image 40 among 40"));
  CHECK(fails_with<config_error>([&] { batch.gather(many); }, "a batch of 3 images"));
  CHECK(fails_with<config_error>([&] { data::resident_batch<float, reference_backend> none(resident, backend, 0); },
                                 "a batch of 0 images"));
}
