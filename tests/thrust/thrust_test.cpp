// The contract of a tensor backend, on the system of Thrust that THRUST_DEVICE_SYSTEM names. Exit status 77 means that
// the system is CUDA and there is no device.
#include "polder/backend/thrust.hpp"

#include <cstdio>

#define CATCH_CONFIG_RUNNER
#include "contract/backend_suite.hpp"
#include "support/catch.hpp"

// The sanitizer's allocator would end the program where the operator returns a null pointer.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

using namespace polder;

int main(int argc, char** argv) {
#if THRUST_DEVICE_SYSTEM == THRUST_DEVICE_SYSTEM_CUDA
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("skipped: no GPU");
    return 77;
  }
#endif
  return Catch::Session().run(argc, argv);
}

TEST_CASE("Thrust's default system meets the obligations of a tensor backend in float", "[thrust]") {
  contract::check_backend<thrust_backend<>, float>(thrust_backend<>{});
}

TEST_CASE("Thrust's default system meets the obligations of a tensor backend in double", "[thrust]") {
  contract::check_backend<thrust_backend<>, double>(thrust_backend<>{});
}

TEST_CASE("Thrust's sequential system meets the obligations of a tensor backend", "[thrust]") {
  contract::check_backend<thrust_backend<thrust_cpp>, float>(thrust_backend<thrust_cpp>{});
}
