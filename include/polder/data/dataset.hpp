// polder — images with labels, as they came from their file, and how they are normalized on the way to the model.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "polder/core/error.hpp"

namespace polder::data {

/// The extents of one image.
struct image_shape {
  std::size_t channels = 1;
  std::size_t height = 0;
  std::size_t width = 0;

  [[nodiscard]] std::size_t size() const { return channels * height * width; }
  bool operator==(const image_shape&) const = default;
};

/// value = (pixel · scale − mean[c]) / deviation[c], a mean and a deviation for each channel c.
struct normalization {
  std::vector<double> mean;
  std::vector<double> deviation;
};

/// Labeled images in memory. Bytes stay bytes (a quarter of the memory of floats); they turn into normalized numbers
/// when a minibatch is gathered.
struct dataset {
  std::string name;                                                    ///< what errors and reports call it
  image_shape shape;                                                   ///< of every image
  std::size_t classes = 0;                                             ///< labels are 0 .. classes − 1
  std::vector<std::int32_t> labels;                                    ///< (N)
  std::variant<std::vector<std::uint8_t>, std::vector<float>> pixels;  ///< (N, C, H, W)
  double scale = 1.0;                 ///< what one unit of a pixel is worth: 1/255 for bytes that fill their range
  data::normalization normalization;  ///< empty: pixel · scale as it is

  [[nodiscard]] std::size_t size() const { return labels.size(); }
};

/// A training and a test split of one kind.
struct train_test {
  dataset train;
  dataset test;
};

/// The number of images of each class.
[[nodiscard]] inline std::vector<std::size_t> class_counts(const dataset& images) {
  std::vector<std::size_t> counts(images.classes, 0);
  for (const std::int32_t label : images.labels) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

/// Throws data_error unless there are images, as many labels as images, and the normalization, if any, has a mean and a
/// positive deviation for each channel. Costs nothing: it looks at sizes.
inline void check_sizes(const dataset& images) {
  const auto expect = [&](bool condition, const auto&... pieces) {
    require<data_error>(condition, "data set '", images.name, "': ", pieces...);
  };
  const std::size_t stored = std::visit([](const auto& pixels) { return pixels.size(); }, images.pixels);
  expect(images.shape.size() > 0, "its images are empty");
  expect(stored > 0, "it has no images");
  expect(stored % images.shape.size() == 0 && stored / images.shape.size() == images.size(), stored, " pixels are not ",
         images.size(), " images (one for each label) of ", images.shape.size(), " pixels");
  const data::normalization& norm = images.normalization;
  expect(norm.mean.size() == norm.deviation.size() && (norm.mean.empty() || norm.mean.size() == images.shape.channels),
         "its normalization has ", norm.mean.size(), " means and ", norm.deviation.size(), " deviations for ",
         images.shape.channels, " channels");
  for (const double deviation : norm.deviation) {
    expect(deviation > 0 && std::isfinite(deviation), "a deviation of ", deviation, " cannot normalize");
  }
}

/// Throws data_error unless the sizes fit (check_sizes), every label is one of `classes` and every pixel is finite.
inline void check(const dataset& images) {
  check_sizes(images);
  const auto expect = [&](bool condition, const auto&... pieces) {
    require<data_error>(condition, "data set '", images.name, "': ", pieces...);
  };
  for (std::size_t i = 0; i < images.size(); ++i) {
    const std::int32_t label = images.labels[i];
    expect(label >= 0 && static_cast<std::size_t>(label) < images.classes, "label ", i, " is ", label, "; 0 to ",
           images.classes, " - 1 are possible");
  }
  if (const auto* const numbers = std::get_if<std::vector<float>>(&images.pixels)) {
    const auto bad = std::ranges::find_if(*numbers, [](float x) { return !std::isfinite(x); });
    expect(bad == numbers->end(), "image ", static_cast<std::size_t>(bad - numbers->begin()) / images.shape.size(),
           " has a pixel that is not a finite number");
  }
}

/// Mean and (population) standard deviation of each channel of pixel · scale. A channel that is constant has deviation
/// 1, so that it becomes 0 and not 0/0.
[[nodiscard]] inline normalization channel_statistics(const dataset& images) {
  const std::size_t area = images.shape.height * images.shape.width;
  normalization result;
  std::visit(
      [&](const auto& pixels) {
        for (std::size_t c = 0; c < images.shape.channels; ++c) {
          double sum = 0;
          double square = 0;
          // The first pixel is near enough to the mean to keep the difference of squares from cancelling.
          const auto origin = static_cast<double>(pixels[c * area]);
          for (std::size_t i = 0; i < images.size(); ++i) {
            const auto* const plane = pixels.data() + (i * images.shape.channels + c) * area;
            for (std::size_t j = 0; j < area; ++j) {
              const double x = static_cast<double>(plane[j]) - origin;
              sum += x;
              square += x * x;
            }
          }
          const auto count = static_cast<double>(images.size() * area);
          const double shift = sum / count;
          const double variance = std::max(0.0, square / count - shift * shift) * images.scale * images.scale;
          const double mean = (origin + shift) * images.scale;
          const double noise = 1e-7 * std::max(std::abs(mean), std::numeric_limits<double>::min());
          result.mean.push_back(mean);
          result.deviation.push_back(std::sqrt(variance) > noise ? std::sqrt(variance) : 1.0);
        }
      },
      images.pixels);
  return result;
}

namespace detail {

/// Both splits, checked, with one number of classes.
[[nodiscard]] inline train_test checked(dataset train, dataset test) {
  check(train);
  check(test);
  require<data_error>(train.shape == test.shape, "the images of '", train.name, "' have ", train.shape.channels, " x ",
                      train.shape.height, " x ", train.shape.width, " pixels, those of '", test.name, "' ",
                      test.shape.channels, " x ", test.shape.height, " x ", test.shape.width);
  train.classes = test.classes = std::max(train.classes, test.classes);
  return {std::move(train), std::move(test)};
}

}  // namespace detail

/// Checks both splits, that they fit together, and normalizes both with the training split's statistics.
[[nodiscard]] inline train_test checked_and_normalized(dataset train, dataset test) {
  train_test both = detail::checked(std::move(train), std::move(test));
  both.train.normalization = channel_statistics(both.train);
  both.test.normalization = both.train.normalization;
  return both;
}
/// The same with a mean and a deviation for each channel that somebody has published.
[[nodiscard]] inline train_test checked_and_normalized(dataset train, dataset test, const normalization& published) {
  train.normalization = published;
  test.normalization = published;
  return detail::checked(std::move(train), std::move(test));
}

}  // namespace polder::data
