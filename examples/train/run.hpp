// Running the workers: one function per backend, each in a file of its own.
#pragma once

#include "polder/train/fit.hpp"
#include "train/options.hpp"
#include "train/problem.hpp"

namespace polder_train {

/// Trains on all workers of this process, and of the other ranks under mpi. Callbacks are called on worker 0.
/// Returns the result as worker 0 has it; on other ranks the same but for the mean.
using run_function = polder::fit_result<float>(const options&, const problem&, const polder::fit_callbacks&);

run_function run_eigen;
run_function run_reference;
run_function run_thrust;
run_function run_cuda;
/// Throws usage_error where CUDA finds no GPU.
void require_gpu();

}  // namespace polder_train
