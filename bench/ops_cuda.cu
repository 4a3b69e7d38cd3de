// Fused passes on a CUDA device, each as a share of the rate of a copy from device memory to device memory over as much
// memory, measured right before and after it. Prints a Markdown table. Exit status 77: there is no device.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "polder/backend/thrust.hpp"
#include "polder/core/error.hpp"
#include "support/passes.hpp"

namespace {

using polder::detail::check_cuda;
using backend = polder::thrust_backend<polder::thrust_cuda>;

class event {
 public:
  event() { check_cuda("cudaEventCreate", cudaEventCreate(&event_)); }
  event(const event&) = delete;
  event& operator=(const event&) = delete;
  ~event() { (void)cudaEventDestroy(event_); }
  void record(cudaStream_t stream) const { check_cuda("cudaEventRecord", cudaEventRecord(event_, stream)); }
  [[nodiscard]] double seconds_since(const event& begin) const {
    check_cuda("cudaEventSynchronize", cudaEventSynchronize(event_));
    float milliseconds = 0.0f;
    check_cuda("cudaEventElapsedTime", cudaEventElapsedTime(&milliseconds, begin.event_, event_));
    return 1e-3 * static_cast<double>(milliseconds);
  }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Seconds of one call of `work`, which enqueues on `stream`: the median of batches that are long enough for the clock.
template <class Work>
double seconds_of(cudaStream_t stream, const Work& work) {
  constexpr int calls = 20, batches = 25;
  const event begin, end;
  std::vector<double> seconds;
  work();
  for (int batch = 0; batch < batches; ++batch) {
    begin.record(stream);
    for (int call = 0; call < calls; ++call) work();
    end.record(stream);
    seconds.push_back(end.seconds_since(begin) / calls);
  }
  const auto middle = seconds.begin() + batches / 2;
  std::nth_element(seconds.begin(), middle, seconds.end());
  return *middle;
}

/// Bytes read and written per second by a copy between two arrays that together are `memory` bytes.
double copy_rate(std::size_t memory) {
  const backend on;
  const std::size_t bytes = memory / 2;
  polder::cuda_buffer<char> from = on.zeros<char>(bytes), to = on.zeros<char>(bytes);
  const double seconds = seconds_of(on.cuda_stream(), [&] { on.copy(from.view(), to.view()); });
  return 2.0 * static_cast<double>(bytes) / seconds;
}

void row(const std::string& name, std::size_t n, std::size_t bytes, double seconds, double copy) {
  const double rate = static_cast<double>(bytes) / seconds;
  std::printf("| %s | %zu | %zu | %.2f | %.1f | %.3f |\n", name.c_str(), n, bytes, 1e6 * seconds, 1e-9 * rate,
              rate / copy);
}

void print_table() {
  cudaDeviceProp device{};
  check_cuda("cudaGetDeviceProperties", cudaGetDeviceProperties(&device, 0));
  std::printf("Device: %s, %.0f GiB, %d multiprocessors.\n\n", device.name,
              static_cast<double>(device.totalGlobalMem) / (1 << 30), device.multiProcessorCount);
  std::printf(
      "| pass | parameters | bytes | microseconds | GB/s | of the copy |\n| --- | --- | --- | --- | --- | --- |\n");
  for (const std::size_t n : {std::size_t{270'000}, std::size_t{25'000'000}}) {
    polder::bench::for_all_passes<backend>([n](const std::string& name, const auto& timed) {
      timed(n, [&](const backend& on, std::size_t bytes, std::size_t memory, const auto& pass) {
        const double before = copy_rate(memory);
        const double seconds = seconds_of(on.cuda_stream(), pass);
        row(name, n, bytes, seconds, 0.5 * (before + copy_rate(memory)));
      });
    });
  }
}

}  // namespace

int main() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("skipped: no GPU");
    return 77;
  }
  try {
    print_table();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench_ops_cuda: %s\n", e.what());
    return 1;
  }
  return 0;
}
