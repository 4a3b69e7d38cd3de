// Compiled by nvcc: the headers that it does not take (Eigen's, CLI11's, zlib's) are kept out of what this includes.
#include <cuda_runtime_api.h>

#include "polder/backend/cublas.hpp"
#include "train/run_workers.hpp"
#include "train/usage_error.hpp"

polder::fit_result<float> polder_train::run_cuda(const options& o, const problem& p,
                                                 const polder::fit_callbacks& callbacks) {
  using enum polder::product_precision;
  const polder::product_precision precision = o.precision == "tf32" ? tf32 : o.precision == "bf16" ? bf16 : fp32;
  const auto make = [precision] { return polder::cublas_backend(precision); };
  return run_all(*make_device_engine(p, make(), o.graphs == "on"), make, o, p, callbacks);
}

void polder_train::require_gpu() {
  int devices = 0;
  const cudaError_t found = cudaGetDeviceCount(&devices);
  polder::require<usage_error>(
      found == cudaSuccess && devices > 0, "--backend cuda: there is no GPU that CUDA can use (",
      found == cudaSuccess ? "no device" : cudaGetErrorString(found), "); allowed: ", host_backends());
}
