// .npy arrays: whatever the bytes are, there is an array or a data_error; an array turns into numbers or a data_error.
#include <cstddef>
#include <cstdint>

#include "polder/io/npy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  try {
    const auto array = polder::io::parse_npy({bytes, size}, "array");
    if (array.as<double>().size() != array.size()) __builtin_trap();
    (void)array.as<float>();
    (void)array.as<std::int32_t>();
  } catch (const polder::data_error&) {
  }
  return 0;
}
