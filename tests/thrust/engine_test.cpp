// The engine of devices on Thrust's default system: on the host with Eigen's matrix products, under nvcc with cuBLAS.
#include "contract/kernel_suite.hpp"
#include "nn/device_engine.hpp"
#include "polder/backend/thrust.hpp"
#if defined(__CUDACC__)
#include "polder/backend/cublas.hpp"
#else
#include "polder/backend/eigen.hpp"
#include "polder/backend/with_products.hpp"
#endif

#if defined(__CUDACC__)
using engine_backend = polder::cublas_backend;
#else
using engine_backend = polder::with_products<polder::thrust_backend<>, polder::eigen_backend>;
#endif

TEST_CASE("Thrust's default system meets the obligations of a kernel backend", "[thrust]") {
  polder::contract::check_kernel_backend(engine_backend{});
}

TEST_CASE("every layer gives on Thrust's default system what the host's engine gives", "[thrust]") {
  device_engine::compare_layers<float>(engine_backend{});
  device_engine::compare_layers<double>(engine_backend{});
}

TEST_CASE("the ready networks give on Thrust's default system what the host's engine gives", "[thrust]") {
  device_engine::compare_models<float>(engine_backend{});
  device_engine::compare_models<double>(engine_backend{});
}
