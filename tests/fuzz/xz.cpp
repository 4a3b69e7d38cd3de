// xz streams: whatever the bytes are, there is content within the limit or a data_error.
#include <cstddef>
#include <cstdint>

#include "polder/io/xz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  constexpr std::size_t limit = 100'000;
  try {
    if (polder::io::unpack_xz({bytes, size}, "stream", limit).size() > limit) __builtin_trap();
  } catch (const polder::data_error&) {
  }
  return 0;
}
