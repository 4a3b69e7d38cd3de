// Any text as an edge list: a graph or a data_error, never anything else.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "polder/core/error.hpp"
#include "polder/topology/edge_list.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto graph =
        polder::topology::parse_edge_list({reinterpret_cast<const char*>(data), size}, "fuzz", 0, size % 2 == 1);
    if (graph.size() < 2 || graph.size() > polder::topology::max_workers) __builtin_trap();
  } catch (const polder::data_error&) {
  }
  return 0;
}
