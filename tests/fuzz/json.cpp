// JSON: what parses is written as JSON that parses to the same text.
#include <cstddef>
#include <cstdint>
#include <string>

#include "polder/io/json_lines.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view content = polder::io::as_text({bytes, size});
  try {
    const std::string once = polder::io::parse_json(content, "json").dump();
    if (polder::io::parse_json(once, "json").dump() != once) __builtin_trap();
  } catch (const polder::data_error&) {
  }
  try {
    (void)polder::io::parse_json_lines(content, "lines");
  } catch (const polder::data_error&) {
  }
  return 0;
}
