// IDX images and labels: whatever the bytes are, there is a data set or a data_error.
#include <cstddef>
#include <cstdint>

#include "polder/data/idx.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const polder::io::byte_view content(bytes, size);
  try {
    const auto images = polder::data::parse_idx_images(content, "images");
    if (images.pixels.size() != images.count * images.height * images.width) __builtin_trap();
    (void)polder::data::dataset_from_idx(images, std::vector<std::int32_t>(images.count, 1), "set");
  } catch (const polder::data_error&) {
  }
  try {
    const auto labels = polder::data::parse_idx_labels(content, "labels");
    if (labels.size() + 8 != size) __builtin_trap();
  } catch (const polder::data_error&) {
  }
  return 0;
}
