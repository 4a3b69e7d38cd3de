// The fused passes of a training step as benchmarks, for any host backend.
#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>

#include "support/memcpy.hpp"
#include "support/passes.hpp"

namespace polder::bench {

/// Registers all passes for backend B, at the size of ResNet-20 and at ten million parameters.
template <class B>
bool register_passes(const std::string& backend) {
  for_all_passes<B>([&](const std::string& name, auto timed) {
    benchmark::RegisterBenchmark((backend + "/" + name).c_str(),
                                 [timed](benchmark::State& state) {
                                   timed(static_cast<std::size_t>(state.range(0)),
                                         [&](const B&, std::size_t bytes, std::size_t memory, const auto& pass) {
                                           run_pass(state, bytes, memory, pass);
                                         });
                                 })
        ->Arg(270000)
        ->Arg(10000000)
        ->Unit(benchmark::kMicrosecond)
        ->UseRealTime();
  });
  return true;
}

}  // namespace polder::bench
