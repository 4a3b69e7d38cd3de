#include "polder/data/augment.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "data/support.hpp"
#include "polder/data/loader.hpp"

using namespace polder;
using data::image_change;
using test::fails_with;

namespace {

/// `count` images of 2 x 5 x 6, every pixel of an image another one.
data::dataset pictures(std::size_t count, bool bytes) {
  data::dataset set;
  set.name = "pictures";
  set.shape = {2, 5, 6};
  set.classes = 3;
  std::vector<std::uint8_t> raw;
  std::vector<float> numbers;
  for (std::size_t i = 0; i < count; ++i) {
    set.labels.push_back(static_cast<std::int32_t>(i % 3));
    for (std::size_t j = 0; j < set.shape.size(); ++j) {
      raw.push_back(static_cast<std::uint8_t>(1 + j + 61 * i));
      numbers.push_back(static_cast<float>(raw.back()));
    }
  }
  if (bytes) {
    set.pixels = raw;
  } else {
    set.pixels = numbers;
  }
  set.scale = 1.0 / 255;
  set.normalization = {{0.4, 0.5}, {0.2, 0.25}};
  return set;
}

/// The pixel of the changed image straight from the formula, normalized.
double expected(const data::dataset& set, std::size_t image, const image_change& change, std::size_t c, std::size_t h,
                std::size_t w) {
  const auto [channels, height, width] = set.shape;
  const std::ptrdiff_t from_h = static_cast<std::ptrdiff_t>(h) + change.down;
  std::ptrdiff_t from_w = static_cast<std::ptrdiff_t>(w) + change.right;
  double pixel = 0;
  if (from_h >= 0 && from_h < static_cast<std::ptrdiff_t>(height) && from_w >= 0 &&
      from_w < static_cast<std::ptrdiff_t>(width)) {
    if (change.mirrored) from_w = static_cast<std::ptrdiff_t>(width) - 1 - from_w;
    const std::size_t at =
        ((image * channels + c) * height + static_cast<std::size_t>(from_h)) * width + static_cast<std::size_t>(from_w);
    pixel = std::visit([at](const auto& pixels) { return static_cast<double>(pixels[at]); }, set.pixels);
  }
  return (pixel * set.scale - set.normalization.mean[c]) / set.normalization.deviation[c];
}

/// Whether image `place` of the batch is that image, changed so.
bool is_changed(const data::batch_view<double>& batch, std::size_t place, const data::dataset& set, std::size_t image,
                const image_change& change) {
  const auto [channels, height, width] = set.shape;
  const double* at = batch.images.data() + place * set.shape.size();
  for (std::size_t c = 0; c < channels; ++c) {
    for (std::size_t h = 0; h < height; ++h) {
      for (std::size_t w = 0; w < width; ++w) {
        if (std::abs(*at++ - expected(set, image, change, c, h, w)) > 1e-12) return false;
      }
    }
  }
  return batch.labels[place] == set.labels[image];
}

/// The chi-square statistic of the 81 offsets and 2 flips of 16,200 changes; change(i) gives the i-th.
template <class Change>
double chi_square(const Change& change) {
  constexpr std::size_t cells = 81 * 2;
  constexpr std::size_t each = 100;
  std::vector<double> counts(cells, 0.0);
  for (std::size_t i = 0; i < cells * each; ++i) {
    const image_change one = change(i);
    REQUIRE(std::abs(one.down) <= 4);
    REQUIRE(std::abs(one.right) <= 4);
    ++counts[static_cast<std::size_t>((one.down + 4) * 9 + one.right + 4) * 2 + (one.mirrored ? 1 : 0)];
  }
  double sum = 0;
  for (const double count : counts) sum += (count - each) * (count - each) / each;
  return sum;
}

}  // namespace

TEST_CASE("a changed image is the mirrored, moved one, with black where nothing was, for bytes and for numbers") {
  for (const bool bytes : {true, false}) {
    const auto set = pictures(2, bytes);
    data::batch_buffer<double> buffer(set);
    const std::vector<std::size_t> both{1, 0};
    for (std::int32_t down = -4; down <= 4; ++down) {
      for (std::int32_t right = -4; right <= 4; ++right) {
        for (const bool mirrored : {false, true}) {
          const image_change change{down, right, mirrored};
          const auto batch = buffer.gather(both, [&](std::size_t) { return change; });
          INFO(down << ' ' << right << ' ' << mirrored);
          REQUIRE(is_changed(batch, 0, set, 1, change));
          REQUIRE(is_changed(batch, 1, set, 0, change));
        }
      }
    }
    // Further than the image is wide: all of it is black.
    for (const image_change& change :
         {image_change{9, 0, false}, image_change{0, 7, true}, image_change{0, -6, false}}) {
      REQUIRE(is_changed(buffer.gather(both, [&](std::size_t) { return change; }), 0, set, 1, change));
    }
  }
}

TEST_CASE("a change is a function of seed, step, worker and image, and of each of them") {
  const auto drawn = [](std::uint64_t seed, std::uint64_t step, std::uint32_t worker) {
    std::vector<std::int32_t> all;
    for (std::uint64_t image = 0; image < 50; ++image) {
      const auto change = data::change_of(data::crop_flip, data::augmentation_key(seed, step, worker), image);
      all.insert(all.end(), {change.down, change.right, change.mirrored ? 1 : 0});
    }
    return all;
  };
  CHECK(drawn(1, 2, 3) == drawn(1, 2, 3));
  CHECK(drawn(1, 2, 3) != drawn(2, 2, 3));
  CHECK(drawn(1, 2, 3) != drawn(1, 3, 3));
  CHECK(drawn(1, 2, 3) != drawn(1, 2, 4));
  // The documented words: another backend that reads these makes the same images.
  const auto key = data::augmentation_key(5, 6, 7);
  CHECK(key.purpose == purpose::augmentation);
  for (std::uint64_t image = 0; image < 50; ++image) {
    const auto words = random_words(key, image);
    const image_change change = data::change_of(data::crop_flip, key, image);
    CHECK(change.down == std::floor(words[0] * 9.0 / 0x1p32) - 4);
    CHECK(change.right == std::floor(words[1] * 9.0 / 0x1p32) - 4);
    CHECK(change.mirrored == (words[2] >= 0x80000000u));
    CHECK(data::change_of({.flip = true}, key, image) == image_change{0, 0, change.mirrored});
    CHECK(data::change_of({.padding = 4}, key, image) == image_change{change.down, change.right, false});
    CHECK(data::change_of({}, key, image) == image_change{});
  }
}

TEST_CASE("changes are uniform over 81 offsets and 2 flips along images, steps and workers") {
  using data::augmentation_key;
  using data::change_of;
  // One in a million outside on each side, for 161 degrees of freedom (Wilson and Hilferty 1931).
  const double freedom = 161;
  const auto quantile = [&](double z) {
    return freedom * std::pow(1 - 2 / (9 * freedom) + z * std::sqrt(2 / (9 * freedom)), 3);
  };
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    const double values[] = {
        chi_square([&](std::size_t i) { return change_of(data::crop_flip, augmentation_key(seed, 9, 2), i); }),
        chi_square([&](std::size_t i) { return change_of(data::crop_flip, augmentation_key(seed, i, 2), 77); }),
        chi_square([&](std::size_t i) {
          return change_of(data::crop_flip, augmentation_key(seed, 9, static_cast<std::uint32_t>(i)), 77);
        })};
    for (const double value : values) {
      CHECK(value < quantile(4.753));
      CHECK(value > quantile(-4.753));
    }
  }
}

TEST_CASE("a loader changes the images of its minibatches, whatever was asked before, and no others") {
  const auto set = pictures(40, true);
  std::vector<std::size_t> shard;
  for (std::size_t i = 0; i < 40; i += 2) shard.push_back(i);
  data::loader<double> changed(set, shard, 5, 3, 1, data::crop_flip);
  data::loader<double> plain(set, shard, 5, 3, 1);
  std::size_t unmoved = 0;
  for (const std::uint64_t step : {0u, 1u, 17u, 3u, 17u, 0u}) {
    const auto batch = changed.select(step);
    const auto chosen = changed.indices(step);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const auto change = data::change_of(data::crop_flip, data::augmentation_key(3, step, 1), chosen[i]);
      REQUIRE(is_changed(batch, i, set, chosen[i], change));
      if (change == image_change{}) ++unmoved;
    }
    REQUIRE(std::ranges::equal(chosen, plain.indices(step)));
    const auto as_they_are = plain.select(step);
    for (std::size_t i = 0; i < chosen.size(); ++i) REQUIRE(is_changed(as_they_are, i, set, chosen[i], {}));
    REQUIRE(std::ranges::equal(changed.select_probe(step).images, plain.select_probe(step).images));
  }
  CHECK(unmoved < 10);
}

TEST_CASE("images that an augmentation could move out of the picture are refused") {
  const auto set = pictures(4, true);
  data::check(data::crop_flip, set.shape);
  CHECK(fails_with<config_error>(
      [] {
        data::check(data::crop_flip, {1, 4, 9});
      },
      "images of 1 x 4 x 9", "moved by up to 4 pixels", "more than 4 x 4"));
  data::check({.flip = true}, {1, 1, 1});
  CHECK(fails_with<config_error>([&] { data::loader<float>(set, {0, 1}, 2, 1, 0, {.padding = 5}); }, "5 pixels"));
}
