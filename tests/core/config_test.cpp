#include "polder/core/config.hpp"

#include "support/catch.hpp"

namespace {

/// The macros in the places for which they are made.
struct twice {
  POLDER_HD constexpr int operator()(int x) const { return 2 * x; }
};
POLDER_INLINE void apply(const int* POLDER_RESTRICT x, int* POLDER_RESTRICT y) { *y = twice{}(*x); }

}  // namespace

TEST_CASE("the macros mark host and device functions, hot bodies and pointers that do not overlap", "[config]") {
  const int x = 21;
  int y = 0;
  apply(&x, &y);
  CHECK(y == 42);
}
