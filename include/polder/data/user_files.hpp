// polder — the user's own images and labels, as .npy or CSV files in one folder.
//
//   train-images.npy  train-labels.npy  test-images.npy  test-labels.npy
//       images (N, H, W), (N, C, H, W) or (N, F); bytes count as 0 to 255, other numbers as they are; labels (N), 0, 1, ...
//   or
//   train.csv  test.csv
//       a line an image; numbers separated by ',', ';' or tabs; the label in the last column; a first line of names is
//       passed over
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/data/dataset.hpp"
#include "polder/io/csv.hpp"
#include "polder/io/file.hpp"
#include "polder/io/npy.hpp"

namespace polder::data {

/// A data set from two arrays. Images of one byte keep it (scale 1/255); a list of F numbers is an image of 1 x 1 x F.
/// Errors: data_error for another number of dimensions or labels that are no whole numbers from 0 on.
[[nodiscard]] inline dataset dataset_from_npy(io::npy_array images, const io::npy_array& labels) {
  const auto extents = images.shape;
  require<data_error>(extents.size() >= 2 && extents.size() <= 4, "'", images.name, "' has ", extents.size(),
                      " dimensions; images are (N, H, W), (N, C, H, W) or (N, F)");
  require<data_error>(labels.shape.size() == 1, "'", labels.name, "' has ", labels.shape.size(),
                      " dimensions; labels are (N)");
  require<data_error>(extents[0] == labels.shape[0], "'", images.name, "' has ", extents[0], " images, '", labels.name,
                      "' ", labels.shape[0], " labels");
  dataset result;
  result.name = images.name;
  result.shape = extents.size() == 2   ? image_shape{1, 1, extents[1]}
                 : extents.size() == 3 ? image_shape{1, extents[1], extents[2]}
                                       : image_shape{extents[1], extents[2], extents[3]};
  result.labels = labels.as<std::int32_t>();
  if (images.type == io::dtype::u8) {
    result.pixels = std::move(images.content);
    result.scale = 1.0 / 255.0;
  } else {
    result.pixels = images.as<float>();
  }
  for (const std::int32_t label : result.labels) {
    require<data_error>(label >= 0, "'", labels.name, "' holds the label ", label, "; labels are 0, 1, 2, ...");
    result.classes = std::max(result.classes, static_cast<std::size_t>(label) + 1);
  }
  check(result);
  return result;
}

/// A data set from a table whose last column is the label. An image of F numbers is 1 x 1 x F, or 1 x H x H where F is
/// the square of H > 1: the usual way to write square images into a table. Errors as dataset_from_npy.
[[nodiscard]] inline dataset dataset_from_csv(const io::csv_table<float>& table, std::string name) {
  require<data_error>(table.columns >= 2, "'", name, "' has one column; expected numbers and then a label");
  const std::size_t features = table.columns - 1;
  std::size_t side = 1;
  while (side * side < features) ++side;
  dataset result;
  result.name = std::move(name);
  result.shape = side * side == features ? image_shape{1, side, side} : image_shape{1, 1, features};
  std::vector<float> pixels;
  pixels.reserve(table.rows * features);
  for (std::size_t i = 0; i < table.rows; ++i) {
    const auto row = table.row(i);
    const float label = row[features];
    constexpr float too_large = 0x1p24f;  // from here on floats skip whole numbers
    require<data_error>(label >= 0 && label < too_large && label == std::floor(label), "'", result.name, "' row ",
                        i + 1, ": the label ", label, " in the last column is not one of 0, 1, 2, ...");
    result.labels.push_back(static_cast<std::int32_t>(label));
    result.classes = std::max(result.classes, static_cast<std::size_t>(label) + 1);
    pixels.insert(pixels.end(), row.begin(), row.end() - 1);
  }
  result.pixels = std::move(pixels);
  check(result);
  return result;
}

namespace detail {

/// Throws data_error for a label that would make more classes than there are training images: one stray label is a
/// network of as many outputs.
inline void check_labels(const dataset& part, std::string_view file, std::size_t training_images) {
  for (std::size_t i = 0; i < part.size(); ++i) {
    const std::int32_t label = part.labels[i];
    require<data_error>(static_cast<std::size_t>(label) < training_images, "'", file, "' row ", i + 1, ": the label ",
                        label, " makes ", static_cast<std::size_t>(label) + 1, " classes of ", training_images,
                        " training images: mend the row, or number the classes 0, 1, 2, ... without gaps");
  }
}

}  // namespace detail

/// Whether a folder holds the files that load_user_files reads.
[[nodiscard]] inline bool has_user_files(const std::string& folder) {
  return io::is_file(io::join_path(folder, "train-images.npy")) || io::is_file(io::join_path(folder, "train.csv"));
}

/// The user's own training and test images from `folder`, normalized by the training images. Errors: data_error that
/// lists the files looked for, or says what is wrong with one: a label of N or more with N training images, too.
[[nodiscard]] inline train_test load_user_files(const std::string& folder) {
  const auto path = [&](std::string_view name) { return io::join_path(folder, name); };
  require<data_error>(has_user_files(folder), "no data in '", folder,
                      "': looked for train-images.npy, train-labels.npy, test-images.npy and test-labels.npy, or for "
                      "train.csv and test.csv");
  const bool arrays = io::is_file(path("train-images.npy"));
  const auto labels = [&](std::string_view which) { return path(text(which, arrays ? "-labels.npy" : ".csv")); };
  const auto split = [&](std::string_view which) {
    return arrays ? dataset_from_npy(io::read_npy(path(text(which, "-images.npy"))), io::read_npy(labels(which)))
                  : dataset_from_csv(io::read_csv<float>(labels(which)), labels(which));
  };
  dataset train = split("train");
  dataset test = split("test");
  detail::check_labels(train, labels("train"), train.size());
  detail::check_labels(test, labels("test"), train.size());
  return checked_and_normalized(std::move(train), std::move(test));
}

}  // namespace polder::data
