// The contract of a tensor backend, on the host backends.
#include "contract/backend_suite.hpp"
#include "contract/kernel_suite.hpp"
#include "polder/backend/counting.hpp"
#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "support/catch.hpp"

// The sanitizer's allocator would end the program where the operator returns a null pointer.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

using namespace polder;

TEMPLATE_TEST_CASE("a host backend meets the obligations of a tensor backend in float", "[backend]", reference_backend,
                   eigen_backend, counting_backend<eigen_backend>) {
  contract::check_backend<TestType, float>(TestType{});
}

TEMPLATE_TEST_CASE("a host backend meets the obligations of a tensor backend in double", "[backend]", reference_backend,
                   eigen_backend, counting_backend<eigen_backend>) {
  contract::check_backend<TestType, double>(TestType{});
}

TEST_CASE("a counted backend multiplies as the backend that it counts", "[backend]") {
  contract::check_gemm<counting_backend<eigen_backend>, float>({});
  contract::check_gemm<counting_backend<eigen_backend>, double>({});
}

TEMPLATE_TEST_CASE("a host backend meets the obligations of a kernel backend", "[backend]", reference_backend,
                   eigen_backend) {
  contract::check_kernel_backend(TestType{});
}

TEST_CASE("eigen's products have the same bits wherever the matrices lie", "[backend]") {
  const eigen_backend b;
  for (const std::size_t size : {2u, 5u, 6u, 7u, 16u, 33u}) {
    const auto a = contract::numbers<float>(size * size, 1), c = contract::numbers<float>(size * size, 2);
    std::vector<float> first;
    for (std::size_t offset = 0; offset < 16; ++offset) {
      auto pa = b.zeros<float>(size * size + 16), pc = b.zeros<float>(size * size + 16),
           y = b.zeros<float>(size * size + 16);
      std::copy(a.begin(), a.end(), pa.data() + offset);
      std::copy(c.begin(), c.end(), pc.data() + offset / 2);
      b.gemm(transpose::no, transpose::yes, size, size, size, 1.0f, pa.data() + offset, size, pc.data() + offset / 2,
             size, 0.0f, y.data() + 15 - offset, size);
      const std::vector<float> product(y.data() + 15 - offset, y.data() + 15 - offset + size * size);
      if (offset == 0) first = product;
      CHECK(contract::same_bits(product, first));
    }
  }
}
