// Compressors: encode and decode of ten million numbers. `of_memcpy` is the speed as a share of memcpy's in the same
// run: 1 means that it takes as long as copying the uncompressed vector. `ratio`: bytes of the vector over bytes on the
// wire.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "polder/compress/error_feedback.hpp"
#include "polder/compress/half.hpp"
#include "polder/compress/qsgd.hpp"
#include "polder/compress/random_k.hpp"
#include "polder/compress/raw.hpp"
#include "polder/compress/sign.hpp"
#include "polder/compress/top_k.hpp"
#include "polder/core/random.hpp"
#include "support/memcpy.hpp"

namespace {

using namespace polder;

std::vector<float> normal_numbers(std::size_t n) {
  random_stream random({.seed = 1, .purpose = purpose::test});
  std::vector<float> x(n);
  for (float& value : x) value = static_cast<float>(random.normal());
  return x;
}

template <class K>
bool add(const std::string& name, const K& k) {
  const auto run = [k](benchmark::State& state, bool encode) {
    const auto n = static_cast<std::size_t>(state.range(0));
    const layout tensors(n);
    const std::vector<float> x = normal_numbers(n);
    std::vector<float> y(n, 0.0f);
    auto memory = k.template init<float>(tensors);
    std::vector<std::byte> wire(k.template max_bytes<float>(tensors));
    std::uint64_t step = 0;
    const auto compress = [&] { return k.template compress<float>(memory, x, tensors, {.step = ++step}, wire); };
    const std::size_t sent = compress();
    // as if the vector were read and written, as by a copy
    bench::run_pass(state, 8 * n, 8 * n, [&] {
      if (encode) {
        benchmark::DoNotOptimize(compress());
      } else {
        k.template decompress_add<float>(std::span<const std::byte>(wire).first(sent), tensors, 1.0 / 3.0, y);
        benchmark::DoNotOptimize(y.data());
      }
    });
    state.counters["sent"] = static_cast<double>(sent);
    state.counters["ratio"] = static_cast<double>(4 * n) / static_cast<double>(sent);
  };
  for (const bool encode : {true, false}) {
    const std::string row = name + (encode ? "/encode" : "/decode_add");
    benchmark::RegisterBenchmark(row.c_str(), [run, encode](benchmark::State& state) { run(state, encode); })
        ->Arg(10000000)
        ->Unit(benchmark::kMicrosecond)
        ->UseRealTime();
  }
  return true;
}

const bool registered = add("raw", raw{}) && add("half_bf16", half{}) && add("half_fp16", half{half_format::fp16}) &&
                        add("sign", sign{}) && add("top_k_1_percent", top_k{0.01}) &&
                        add("top_k_25_percent", top_k{0.25}) && add("random_k_1_percent", random_k{0.01}) &&
                        add("qsgd_8", qsgd{}) && add("qsgd_8_buckets_of_512", qsgd{.bucket = 512}) &&
                        add("qsgd_4", qsgd{.bits = 4}) &&
                        add("qsgd_4_sign_beside", qsgd{.bits = 4, .levels = qsgd::level_mode::sign_beside}) &&
                        add("error_feedback_sign", error_feedback{sign{}});

}  // namespace

BENCHMARK_MAIN();
