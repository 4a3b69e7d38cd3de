#include "polder/core/divider.hpp"

#include <cstdint>
#include <vector>

#include "polder/core/random.hpp"
#include "support/catch.hpp"

using namespace polder;

TEST_CASE("a divider divides") {
  std::vector<std::uint32_t> divisors, numbers{0, 1, 0xFFFFFFFF, 0xFFFFFFFE, 0x80000000, 0x7FFFFFFF};
  for (std::uint32_t d = 1; d <= 300; ++d) divisors.push_back(d);
  for (int bit = 8; bit < 32; ++bit) {
    const std::uint32_t power = std::uint32_t{1} << bit;
    divisors.insert(divisors.end(), {power - 1, power, power + 1});
  }
  divisors.insert(divisors.end(), {0xFFFFFFFF, 0xFFFFFFFE, 3'000'000'019});
  random_stream random({.seed = 9});
  for (int i = 0; i < 200; ++i) divisors.push_back(1 + static_cast<std::uint32_t>(random.below(0xFFFFFFFF)));
  for (int i = 0; i < 300; ++i) numbers.push_back(static_cast<std::uint32_t>(random.below(0x100000000)));

  std::size_t wrong = 0;
  for (const std::uint32_t d : divisors) {
    const divider by(d);
    const auto check = [&](std::uint32_t n) {
      const auto [quotient, remainder] = by.split(n);
      wrong += quotient != n / d || remainder != n % d;
    };
    for (const std::uint32_t n : numbers) {
      check(n);
      // the neighborhoods of multiples are where a rounded reciprocal goes wrong
      const std::uint32_t multiple = n / d * d;
      check(multiple);
      check(multiple - 1);
      check(multiple + (d - 1));
    }
  }
  CHECK(wrong == 0);
  CHECK_THROWS_WITH(divider(0), "divider: 0 is outside 1 to 2^32 - 1");
  CHECK_THROWS_AS(divider(std::size_t{1} << 32), config_error);
}
