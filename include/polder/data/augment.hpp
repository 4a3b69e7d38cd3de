// polder — augmentation: images that are moved and mirrored at random on their way into a minibatch.
//
// What is done to an image is a few whole numbers, a function of seed, step, worker and image alone: every backend, in
// any order, with any number of threads, makes the same images.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "polder/core/config.hpp"
#include "polder/core/error.hpp"
#include "polder/core/random.hpp"
#include "polder/data/dataset.hpp"

namespace polder::data {

/// Which changes are drawn from.
struct augmentation {
  std::uint32_t padding = 0;  ///< black pixels on each side, from which a piece of the image's own size is cut
  bool flip = false;          ///< left and right exchanged, in half of the cases

  [[nodiscard]] POLDER_HD constexpr bool changes() const { return padding > 0 || flip; }
};

/// What is usual on CIFAR: mirrored or not, then a crop of the image's size out of 4 pixels more on each side.
inline constexpr augmentation crop_flip{.padding = 4, .flip = true};

/// What is done to one image x of width W to make y, with mirrored x' in place of x where `mirrored` says so:
///
///     x'[c, h, w] = x[c, h, W − 1 − w]
///     y[c, h, w]  = x[c, h + down, w + right], and black (pixel 0, before it is normalized) outside of x
struct image_change {
  std::int32_t down = 0;
  std::int32_t right = 0;
  bool mirrored = false;

  bool operator==(const image_change&) const = default;
};

/// The random numbers that decide the changes of one minibatch.
[[nodiscard]] POLDER_HD constexpr random_key augmentation_key(std::uint64_t seed, std::uint64_t step,
                                                              std::uint32_t worker) {
  return {.seed = seed, .purpose = purpose::augmentation, .step = step, .worker = worker};
}

/// What is done to the image with number `image` of the data set: down and right uniform in −padding .. padding,
/// mirrored in half of the cases if it flips. One block of random words, random_words(key, image): the first two make
/// the offsets, floor(word · (2 padding + 1) / 2³²) − padding, which is uniform up to (2 padding + 1) / 2³²; a bit of
/// the third flips.
[[nodiscard]] POLDER_HD constexpr image_change change_of(const augmentation& how, const random_key& key,
                                                         std::uint64_t image) {
  const auto words = random_words(key, image);
  const std::uint64_t places = 2 * std::uint64_t{how.padding} + 1;
  const auto offset = [&](std::uint32_t word) {
    return static_cast<std::int32_t>((word * places) >> 32) - static_cast<std::int32_t>(how.padding);
  };
  return {offset(words[0]), offset(words[1]), how.flip && (words[2] >> 31) != 0};
}

/// Throws config_error unless some of every image is left, however far it is moved.
inline void check(const augmentation& how, const image_shape& shape) {
  require<config_error>(how.padding < std::min(shape.height, shape.width), "images of ", shape.channels, " x ",
                        shape.height, " x ", shape.width, " cannot be moved by up to ", how.padding,
                        " pixels: take no augmentation, or images of more than ", how.padding, " x ", how.padding);
}

/// Writes one changed channel: to[h, w] = value(from's pixel), with pixel 0 outside.
template <class Pixel, class T, class Value>
void change_plane(const image_change& change, std::size_t height, std::size_t width, const Pixel* from, T* to,
                  const Value& value) {
  const auto w = static_cast<std::ptrdiff_t>(width);
  const T black = value(Pixel{0});
  // Columns that come from within the image.
  const std::ptrdiff_t first = std::clamp<std::ptrdiff_t>(-std::ptrdiff_t{change.right}, 0, w);
  const std::ptrdiff_t last = std::clamp<std::ptrdiff_t>(w - std::ptrdiff_t{change.right}, first, w);
  for (std::size_t y = 0; y < height; ++y, to += width) {
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(y) + change.down;
    if (row < 0 || row >= static_cast<std::ptrdiff_t>(height)) {
      std::fill_n(to, width, black);
      continue;
    }
    const Pixel* const line = from + row * w;
    std::fill(to, to + first, black);
    if (change.mirrored) {
      for (std::ptrdiff_t x = first; x < last; ++x) to[x] = value(line[w - 1 - (x + change.right)]);
    } else {
      for (std::ptrdiff_t x = first; x < last; ++x) to[x] = value(line[x + change.right]);
    }
    std::fill(to + last, to + width, black);
  }
}

}  // namespace polder::data
