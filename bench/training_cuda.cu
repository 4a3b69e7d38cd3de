// Workers that share a CUDA device train a network: samples per second, in rows for bench/peers/table.py.
//   bench_training_cuda FILE [PRECISION [SECONDS [MOST_SECONDS]]]
// adds a JSON line for each row to FILE. PRECISION: fp32 (default), tf32 or bf16; SECONDS: how long a row is timed (2);
// after MOST_SECONDS (180) no other row is begun. Exit status 77: there is no device.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

#include "polder/backend/cublas.hpp"
#include "support/training.hpp"

namespace {

double memory_in_use() {
  std::size_t available = 0, all = 0;
  polder::detail::check_cuda("cudaMemGetInfo", cudaMemGetInfo(&available, &all));
  return static_cast<double>(all - available);
}

polder::product_precision precision_of(std::string_view word) {
  if (word == "fp32") return polder::product_precision::fp32;
  if (word == "tf32") return polder::product_precision::tf32;
  if (word == "bf16") return polder::product_precision::bf16;
  polder::fail<polder::config_error>("precision '", word, "': allowed: fp32, tf32, bf16");
}

double seconds_of(const char* word) {
  char* end = nullptr;
  const double seconds = std::strtod(word, &end);
  polder::require<polder::config_error>(*word != '\0' && *end == '\0' && seconds > 0 && seconds <= 1e6, "seconds '",
                                        word, "': allowed: a number above 0, at most 1000000");
  return seconds;
}

void run(int count, char** words) {
  polder::require<polder::config_error>(count >= 2 && count <= 5,
                                        "usage: bench_training_cuda FILE [PRECISION [SECONDS [MOST_SECONDS]]]");
  const char* const precision = count > 2 ? words[2] : "fp32";
  const polder::product_precision products = precision_of(precision);
  const double seconds = count > 3 ? seconds_of(words[3]) : 2.0,
               most_seconds = count > 4 ? seconds_of(words[4]) : 180.0;
  cudaDeviceProp device{};
  polder::detail::check_cuda("cudaGetDeviceProperties", cudaGetDeviceProperties(&device, 0));
  std::FILE* const file = std::fopen(words[1], "a");
  polder::require<polder::data_error>(file != nullptr, "cannot write to ", words[1]);
  polder::bench::time_all_trainings(
      file, device.name, precision, {{"streams", false}, {"streams+graphs", true}}, seconds, most_seconds,
      [products] { return polder::cublas_backend(products); }, memory_in_use);
  std::fclose(file);
}

}  // namespace

int main(int count, char** words) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("skipped: no GPU");
    return 77;
  }
  try {
    run(count, words);
  } catch (const polder::config_error& e) {
    std::fprintf(stderr, "bench_training_cuda: %s\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_training_cuda: %s\n", e.what());
    return 1;
  }
}
