// The user's images: an array of any shape and a table of any numbers become a valid data set or a data_error.
#include <cstddef>
#include <cstdint>

#include "polder/data/user_files.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const polder::io::byte_view content(bytes, size);
  try {
    const auto table = polder::io::parse_csv<float>(content, "table");
    const auto images = polder::data::dataset_from_csv(table, "table");
    (void)polder::data::checked_and_normalized(images, images);
  } catch (const polder::data_error&) {
  }
  try {
    const std::size_t half = size / 2;
    auto images = polder::io::parse_npy(content.first(half), "images");
    const auto labels = polder::io::parse_npy(content.subspan(half), "labels");
    polder::data::check(polder::data::dataset_from_npy(std::move(images), labels));
  } catch (const polder::data_error&) {
  }
  return 0;
}
