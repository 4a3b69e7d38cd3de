// Counts the program's allocations while `watching` is set. Replaces the global operator new: one file of a program includes
// it, and none where a sanitizer brings its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace polder::test {

inline std::atomic<bool> watching{false};
inline std::atomic<long> allocations{0};

inline void* counted_allocation(std::size_t bytes, std::size_t alignment) {
  if (watching.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
  void* memory = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace polder::test

// Not inlined: g++ would else see free() paired with operator new and warn.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  return polder::test::counted_allocation(bytes, alignof(std::max_align_t));
}
[[gnu::noinline]] void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return polder::test::counted_allocation(bytes, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
