// CIFAR-10 and CIFAR-100: whatever the bytes are, there is a data set of all of them or a data_error.
#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "polder/data/cifar.hpp"

namespace {

void expect_whole(const polder::data::dataset& images, std::size_t size, std::size_t record) {
  const auto& pixels = std::get<std::vector<std::uint8_t>>(images.pixels);
  if (images.size() * record != size || pixels.size() != images.size() * 3072) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const polder::io::byte_view content(bytes, size);
  try {
    expect_whole(polder::data::parse_cifar10(content, "batch"), size, 3073);
  } catch (const polder::data_error&) {
  }
  for (const auto labels : {polder::data::cifar100_labels::fine, polder::data::cifar100_labels::coarse}) {
    try {
      expect_whole(polder::data::parse_cifar100(content, "file", labels), size, 3074);
    } catch (const polder::data_error&) {
    }
  }
  return 0;
}
