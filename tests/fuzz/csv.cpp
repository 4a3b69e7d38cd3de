// Tables of numbers: whatever the text is, there is a full table of finite numbers or a data_error.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "polder/io/csv.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  try {
    const auto table = polder::io::parse_csv<double>({bytes, size}, "table");
    if (table.values.size() != table.rows * table.columns) __builtin_trap();
    if (!table.header.empty() && table.header.size() != table.columns) __builtin_trap();
    for (const double value : table.values) {
      if (!std::isfinite(value)) __builtin_trap();
    }
  } catch (const polder::data_error&) {
  }
  return 0;
}
