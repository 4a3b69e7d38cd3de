// polder — whether all workers hold the same parameters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "polder/comm/communicator.hpp"
#include "polder/io/checksum.hpp"

namespace polder {

/// The first worker whose parameters are not those of worker 0, bit for bit; -1 if all have the same. All workers call it
/// together and get the same answer. Costs one pass over x and 8 bytes a worker, which are not counted as sent.
template <communicator C, class T>
[[nodiscard]] int first_odd_worker(C& comm, std::span<const T> x) {
  const std::uint64_t mine = io::checksum64({reinterpret_cast<const std::uint8_t*>(x.data()), x.size_bytes()});
  std::vector<std::uint64_t> all(static_cast<std::size_t>(comm.size()));
  uncounted(comm).all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)));
  for (std::size_t m = 1; m < all.size(); ++m) {
    if (all[m] != all.front()) return static_cast<int>(m);
  }
  return -1;
}

}  // namespace polder
