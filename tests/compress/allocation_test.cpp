// No compressor allocates but in init.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // a sanitizer brings its own operator new

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compress/support.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/half.hpp"
#include "polder/compress/measured.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/random_k.hpp"
#include "polder/compress/raw.hpp"
#include "polder/compress/sign.hpp"
#include "polder/compress/top_k.hpp"
#include "support/allocation_watch.hpp"
#include "support/catch.hpp"

namespace {

using namespace polder;
using test::allocations;

template <class K>
long allocations_of(const K& k) {
  const layout tensors = test::awkward_layout();
  const std::vector<float> x = test::normal_numbers<float>(tensors.size(), 1);
  std::vector<float> y(x.size());
  test::watching = true;
  const long before_init = allocations;
  auto state = k.template init<float>(tensors);
  std::vector<std::byte> wire(k.template max_bytes<float>(tensors));
  CHECK(allocations > before_init);  // the watch works: the wire at least was counted
  const long before = allocations;
  for (std::uint64_t step = 0; step < 3; ++step) {
    const std::size_t sent = k.template compress<float>(state, x, tensors, {.step = step}, wire);
    const auto message = std::span<const std::byte>(wire).first(sent);
    k.template decompress<float>(message, tensors, y);
    k.template decompress_add<float>(message, tensors, 0.5, y);
  }
  test::watching = false;
  return allocations - before;
}

}  // namespace

TEST_CASE("no compressor allocates after init", "[compress]") {
  CHECK(allocations_of(raw{}) == 0);
  CHECK(allocations_of(half{}) == 0);
  CHECK(allocations_of(sign{}) == 0);
  CHECK(allocations_of(top_k{0.02}) == 0);
  CHECK(allocations_of(top_k{0.5}) == 0);
  CHECK(allocations_of(random_k{0.1}) == 0);
  CHECK(allocations_of(qsgd{.bits = 3, .bucket = 64}) == 0);
  CHECK(allocations_of(qsgd{.levels = qsgd::level_mode::sign_beside}) == 0);
  CHECK(allocations_of(error_feedback{top_k{0.1}}) == 0);
  CHECK(allocations_of(measured{qsgd{.bits = 4}}) == 0);
}

#endif
