// Fused passes on Thrust's host system (compile with THRUST_DEVICE_SYSTEM set to CPP or OMP).
#include <benchmark/benchmark.h>

#include "polder/backend/thrust.hpp"
#include "support/host_passes.hpp"

namespace {

const bool registered = polder::bench::register_passes<polder::thrust_backend<>>("thrust");

}  // namespace

BENCHMARK_MAIN();
