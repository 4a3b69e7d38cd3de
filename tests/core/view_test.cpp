#include "polder/core/view.hpp"

#include <array>
#include <concepts>
#include <span>
#include <vector>

#include "support/catch.hpp"

using namespace polder;

namespace {

struct elsewhere {};

}  // namespace

TEST_CASE("a view is a pointer, a size and a space that is part of its type", "[view]") {
  std::vector<float> x{1, 2, 3, 4, 5};
  const host_view<float> v(x.data(), x.size());
  CHECK(v.data == x.data());
  CHECK(v.size == 5);
  CHECK(host_view<float>().size == 0);
  CHECK(host_view<float>().data == nullptr);
  static_assert(std::same_as<host_view<const float>::value_type, float>);
  static_assert(!std::convertible_to<view<elsewhere, float>, host_view<float>>);
}

TEST_CASE("a view of numbers becomes a view of constant numbers, never the reverse", "[view]") {
  std::vector<float> x{1, 2};
  const host_view<float> v(x.data(), x.size());
  const host_view<const float> c = v;
  CHECK(c.data == x.data());
  CHECK(v.as_const().size == 2);
  static_assert(std::same_as<decltype(v.as_const()), host_view<const float>>);
  static_assert(std::convertible_to<view<elsewhere, float>, view<elsewhere, const float>>);
  static_assert(!std::convertible_to<host_view<const float>, host_view<float>>);
}

TEST_CASE("on the host, and only there, views and spans convert into each other", "[view]") {
  std::vector<double> x{1, 2, 3};
  const host_view<double> v = std::span<double>(x);
  const host_view<const double> c = std::span<double>(x);
  const std::span<double> back = v;
  const std::span<const double> constant = c;
  CHECK(back.data() == x.data());
  CHECK(constant.size() == 3);
  static_assert(!std::convertible_to<std::span<double>, view<elsewhere, double>>);
  static_assert(!std::convertible_to<view<elsewhere, double>, std::span<double>>);
  static_assert(!std::convertible_to<std::span<const double>, host_view<double>>);
}

TEST_CASE("a part of a view begins at its offset", "[view]") {
  std::array<int, 6> x{0, 1, 2, 3, 4, 5};
  const host_view<int> v(x.data(), x.size());
  const auto part = v.part(2, 3);
  CHECK(part.size == 3);
  CHECK(part.data[0] == 2);
  CHECK(part.part(1, 2).data[0] == 3);
}
