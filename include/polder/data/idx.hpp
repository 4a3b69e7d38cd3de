// polder — IDX: the format of MNIST and Fashion-MNIST.
// Big-endian: 0x00000803, N, height, width, then N·height·width bytes; or 0x00000801, N, then N label bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/data/dataset.hpp"
#include "polder/io/checksum.hpp"
#include "polder/io/file.hpp"

namespace polder::data {

/// The pixels of an IDX image file, of all images in a row.
struct idx_images {
  std::size_t count = 0;
  std::size_t height = 0;
  std::size_t width = 0;
  std::vector<std::uint8_t> pixels;  // (N, H, W)
};

namespace detail {

/// Checks an IDX header and that exactly the promised bytes follow; returns the extents. Nothing is allocated for a
/// file that is found wanting.
inline std::vector<std::size_t> check_idx(io::byte_view content, std::string_view name, std::uint32_t magic,
                                          std::size_t dimensions) {
  const auto expect = [&](bool condition, const auto&... pieces) {
    require<data_error>(condition, "'", name, "' is not a valid IDX file: ", pieces...);
  };
  const auto word = [&](std::size_t i) {
    std::uint32_t value = 0;
    for (std::size_t k = 0; k < 4; ++k) value = (value << 8) | content[4 * i + k];
    return value;
  };
  const std::size_t header = 4 * (1 + dimensions);
  expect(!content.empty(), "it is empty");
  expect(content.size() >= 4 && word(0) == magic, "expected the magic number 0x", io::hex64(magic).substr(8),
         content.size() >= 4 ? text(", found 0x", io::hex64(word(0)).substr(8))
                             : std::string(", found fewer than 4 bytes"));
  expect(content.size() >= header, "expected a header of ", header, " bytes, found ", content.size());
  std::vector<std::size_t> extents;
  std::uint64_t promised = 1;
  bool overflow = false;
  for (std::size_t d = 0; d < dimensions; ++d) {
    const std::uint32_t extent = word(1 + d);
    expect(extent > 0, d == 0 ? "it holds no items" : "its images have an extent of 0");
    overflow = overflow || promised > std::numeric_limits<std::uint64_t>::max() / extent;
    promised *= extent;
    extents.push_back(extent);
  }
  expect(!overflow, "its header promises more bytes than any file holds");
  const std::size_t found = content.size() - header;
  expect(found >= promised, "its header promises ", promised, " bytes, found ", found, ": it is truncated");
  expect(found == promised, "its header promises ", promised, " bytes, found ", found, ": ", found - promised,
         " are too many");
  return extents;
}

}  // namespace detail

/// The images in the bytes of an (unpacked) IDX file; `name` is what errors call it. Errors: data_error that says what
/// was expected and what was found, for a wrong magic number and for any size that does not fit the header.
[[nodiscard]] inline idx_images parse_idx_images(io::byte_view content, std::string_view name) {
  const auto extents = detail::check_idx(content, name, 0x00000803u, 3);
  const io::byte_view pixels = content.subspan(16);
  return {extents[0], extents[1], extents[2], {pixels.begin(), pixels.end()}};
}

/// The labels in the bytes of an (unpacked) IDX file; errors as parse_idx_images.
[[nodiscard]] inline std::vector<std::int32_t> parse_idx_labels(io::byte_view content, std::string_view name) {
  (void)detail::check_idx(content, name, 0x00000801u, 1);
  const io::byte_view labels = content.subspan(8);
  return {labels.begin(), labels.end()};
}

/// A data set from images and labels: one channel, scale 1/255, as many classes as the greatest label says.
[[nodiscard]] inline dataset dataset_from_idx(idx_images images, std::vector<std::int32_t> labels, std::string name) {
  require<data_error>(images.count == labels.size(), "data set '", name, "' has ", images.count, " images but ",
                      labels.size(), " labels");
  dataset result;
  result.name = std::move(name);
  result.shape = {1, images.height, images.width};
  result.classes = static_cast<std::size_t>(std::ranges::max(labels)) + 1;
  result.labels = std::move(labels);
  result.pixels = std::move(images.pixels);
  result.scale = 1.0 / 255.0;
  check(result);
  return result;
}

}  // namespace polder::data
