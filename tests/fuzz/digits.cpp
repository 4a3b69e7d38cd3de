// 8x8 digits: whatever the text is, there is a data set or a data_error.
#include <cstddef>
#include <cstdint>

#include "polder/data/digits.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  try {
    polder::data::check(polder::data::parse_digits({bytes, size}, "digits"));
  } catch (const polder::data_error&) {
  }
  return 0;
}
