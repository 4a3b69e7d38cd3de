// Compressors: encode and decode of ten million numbers, on one thread. `of_memcpy` is the speed as a share of memcpy's
// in the same row: 1 means that it takes as long as copying the uncompressed vector. `times_libtorch`: how many times as
// fast as LibTorch's operations, where it was found and has a sequence; `times_topk`: as torch.topk alone. `ratio`: bytes
// of the vector over bytes on the wire. Times are the least of many, of the thread alone, all of a row in turn.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstring>
#include <string>

#include "polder/backend/host_memory.hpp"
#include "support/codecs.hpp"
#include "support/contest.hpp"

#if defined(POLDER_HAVE_LIBTORCH)
#include "support/libtorch_codecs.hpp"
#endif

namespace {

using namespace polder;

/// Processor time of a row. The slowest sequences take a third of a second.
constexpr double row_seconds = 2.0;

template <class K>
void run(benchmark::State& state, [[maybe_unused]] const std::string& name, const K& k, bool encode) {
  const auto n = static_cast<std::size_t>(state.range(0));
  bench::codec_at_work<K> codec(k, n);
  codec.encode();
  host_buffer<float> copy(n);
  const auto copy_all = [&] {
    std::memcpy(copy.data(), codec.x(), n * sizeof(float));
    benchmark::DoNotOptimize(copy.data());
    benchmark::ClobberMemory();
  };
  const auto pass = [&] { encode ? codec.encode() : codec.decode_add(); };
  for (auto _ : state) {
#if defined(POLDER_HAVE_LIBTORCH)
    const c10::InferenceMode without_gradients;
    const bench::libtorch_codec rival = bench::libtorch_codec_for(name, codec.x(), n);
    if (rival.encode) rival.encode();
    const auto rival_pass = [&] {
      const auto& sequence = encode ? rival.encode : rival.decode_add;
      if (sequence) sequence();
    };
    const auto topk = [&] {
      if (encode && rival.topk_alone) rival.topk_alone();
    };
    const auto [copied, took, rival_took, topk_took] =
        bench::least_seconds(row_seconds, copy_all, pass, rival_pass, topk);
    if (rival.encode) state.counters["times_libtorch"] = rival_took / took;
    if (encode && rival.topk_alone) state.counters["times_topk"] = topk_took / took;
#else
    const auto [copied, took] = bench::least_seconds(row_seconds, copy_all, pass);
#endif
    state.SetIterationTime(took);
    state.counters["of_memcpy"] = copied / took;
  }
  state.counters["sent"] = static_cast<double>(codec.sent());
  state.counters["ratio"] = static_cast<double>(4 * n) / static_cast<double>(codec.sent());
}

const bool registered = [] {
  bench::for_each_codec([](const std::string& name, const auto& k) {
    for (const bool encode : {true, false}) {
      const std::string row = name + (encode ? "/encode" : "/decode_add");
      benchmark::RegisterBenchmark(row.c_str(),
                                   [name, k, encode](benchmark::State& state) { run(state, name, k, encode); })
          ->Arg(10000000)
          ->Iterations(1)
          ->Unit(benchmark::kMicrosecond)
          ->UseManualTime();
    }
  });
  return true;
}();

}  // namespace

BENCHMARK_MAIN();
