#include "polder/core/error.hpp"

#include <cstdint>
#include <string>
#include <type_traits>

#include "support/catch.hpp"

using namespace polder;

TEST_CASE("text joins words and numbers", "[error]") {
  CHECK(text() == "");
  CHECK(text("rank ", 3, " waits") == "rank 3 waits");
  CHECK(text('a', std::string("b"), std::string_view("c")) == "abc");
  CHECK(text(true, ' ', false) == "true false");
  CHECK(text(0.05f, ' ', 1e-9, ' ', 2.0) == "0.05 1e-09 2");
  CHECK(text(std::uint64_t{18446744073709551615u}, ' ', -7) == "18446744073709551615 -7");
}

TEST_CASE("require throws the named error with its message, and only if the condition fails", "[error]") {
  CHECK_NOTHROW(require<config_error>(true, "never"));
  try {
    require<config_error>(1 + 1 == 3, "rho = ", -1, ": must not be negative");
    FAIL("require did not throw");
  } catch (const config_error& e) {
    CHECK(std::string(e.what()) == "rho = -1: must not be negative");
  }
  CHECK_THROWS_AS(fail<comm_error>("no answer"), comm_error);
}

TEST_CASE("every error of polder is a polder::error and a std::runtime_error", "[error]") {
  static_assert(std::is_base_of_v<std::runtime_error, error>);
  static_assert(std::is_base_of_v<error, config_error>);
  static_assert(std::is_base_of_v<error, comm_error>);
  static_assert(std::is_base_of_v<error, data_error>);
  static_assert(std::is_base_of_v<error, backend_error>);
  static_assert(std::is_base_of_v<error, compress_error>);
  static_assert(std::is_base_of_v<error, non_finite_error>);
  CHECK_THROWS_AS(fail<data_error>("short file"), error);
}
