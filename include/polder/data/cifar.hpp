// polder — CIFAR-10 and CIFAR-100 in their binary form: records without a header, one after another.
//   CIFAR-10    label (0..9), then 3 x 32 x 32 bytes: red, green, blue, each row by row
//   CIFAR-100   coarse label (0..19), fine label (0..99), then the same
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/data/dataset.hpp"
#include "polder/io/file.hpp"

namespace polder::data {

/// Which of CIFAR-100's two labels of an image.
enum class cifar100_labels {
  fine,    ///< one of 100 classes
  coarse,  ///< one of 20 groups of five classes
};

/// What is subtracted from and divided out of pixel / 255 in published code on CIFAR-10. The deviations are smaller
/// than those of the training images (0.2470, 0.2435, 0.2616); runs that are to be compared have them in common.
[[nodiscard]] inline normalization cifar10_normalization() {
  return {{0.4914, 0.4822, 0.4465}, {0.2023, 0.1994, 0.2010}};
}
/// The same for CIFAR-100.
[[nodiscard]] inline normalization cifar100_normalization() {
  return {{0.5071, 0.4867, 0.4408}, {0.2675, 0.2565, 0.2761}};
}

namespace detail {

/// A label at the beginning of a record.
struct cifar_label {
  std::string_view said;
  unsigned classes;
};
/// The labels of a record, and the one that is read.
struct cifar_format {
  std::string_view name;
  std::vector<cifar_label> labels;
  std::size_t chosen;

  static constexpr std::size_t image_bytes = 3072;
  [[nodiscard]] std::size_t record() const { return labels.size() + image_bytes; }
};

inline dataset parse_cifar(io::byte_view content, std::string name, const cifar_format& format) {
  const auto expect = [&](bool condition, const auto&... pieces) {
    require<data_error>(condition, "'", name, "' is not a valid ", format.name, " file: ", pieces...);
  };
  const std::size_t record = format.record();
  expect(!content.empty(), "it is empty; expected records of ", record, " bytes");
  const std::size_t left = content.size() % record;
  const std::size_t other_record = format.labels.size() == 1 ? record + 1 : record - 1;
  expect(left == 0, "its ", content.size(), " bytes are ", content.size() / record, " records of ", record,
         " bytes and ", left, " bytes more: ",
         content.size() % other_record == 0 ? text("they are records of ", other_record, " bytes, as CIFAR-",
                                                   format.labels.size() == 1 ? "100" : "10", " has them")
                                            : text("it is truncated or has others behind it; fetch it again"));
  const std::size_t count = content.size() / record;
  dataset result;
  std::vector<std::uint8_t> pixels;
  pixels.reserve(count * cifar_format::image_bytes);
  result.labels.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const io::byte_view one = content.subspan(i * record, record);
    for (std::size_t k = 0; k < format.labels.size(); ++k) {
      const cifar_label& label = format.labels[k];
      expect(one[k] < label.classes, label.said, " ", unsigned{one[k]}, " of image ", i, " is above ",
             label.classes - 1, ": the file is damaged or another kind; fetch it again");
    }
    result.labels.push_back(one[format.chosen]);
    pixels.insert(pixels.end(), one.begin() + static_cast<std::ptrdiff_t>(format.labels.size()), one.end());
  }
  result.name = std::move(name);
  result.shape = {3, 32, 32};
  result.classes = format.labels[format.chosen].classes;
  result.pixels = std::move(pixels);
  result.scale = 1.0 / 255.0;
  check(result);
  return result;
}

/// Puts the images of one batch behind those of the others.
inline void append(dataset& images, const dataset& batch) {
  auto& pixels = std::get<std::vector<std::uint8_t>>(images.pixels);
  const auto& more = std::get<std::vector<std::uint8_t>>(batch.pixels);
  pixels.insert(pixels.end(), more.begin(), more.end());
  images.labels.insert(images.labels.end(), batch.labels.begin(), batch.labels.end());
}

}  // namespace detail

/// The images in the bytes of an (unpacked) batch of CIFAR-10, not normalized; `name` is what errors call it.
///
/// Errors: data_error for an empty file, one that is not made of whole records and a label that is too large. The
/// format has neither header nor check sum: a file that is cut between two records is a smaller one.
[[nodiscard]] inline dataset parse_cifar10(io::byte_view content, std::string name) {
  return detail::parse_cifar(content, std::move(name), {"CIFAR-10", {{"label", 10}}, 0});
}

/// The images in the bytes of an (unpacked) file of CIFAR-100; else as parse_cifar10.
[[nodiscard]] inline dataset parse_cifar100(io::byte_view content, std::string name,
                                            cifar100_labels labels = cifar100_labels::fine) {
  const std::size_t chosen = labels == cifar100_labels::fine ? 1 : 0;
  return detail::parse_cifar(content, std::move(name),
                             {"CIFAR-100", {{"coarse label", 20}, {"fine label", 100}}, chosen});
}

}  // namespace polder::data
