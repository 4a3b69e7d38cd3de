// Fused passes on the host backends; each row as a share of memcpy's bandwidth over as much memory in the same run.
#include <benchmark/benchmark.h>

#include "polder/backend/eigen.hpp"
#include "polder/backend/reference.hpp"
#include "support/host_passes.hpp"

namespace {

const bool registered = polder::bench::register_passes<polder::eigen_backend>("eigen") &&
                        polder::bench::register_passes<polder::reference_backend>("reference");

}  // namespace

BENCHMARK_MAIN();
