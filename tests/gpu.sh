#!/bin/sh
# Everything that needs a GPU, in one command, without a network: builds with nvcc for the GPU found, runs the CUDA tests,
# runs them again under compute-sanitizer where it is installed, times the fused passes and training steps and, if a Python
# has PyTorch or JAX, theirs, and writes one Markdown file.
#   sh tests/gpu.sh [FILE]      from the project's folder; default: docs/results/gpu.md
#   CUDA_HOME          the toolkit, where nvcc is not on the PATH
#   CMAKE_PREFIX_PATH  where Eigen 3.4, Catch2 2 and zlib are, where no package installed them
#   POLDER_JOBS        how many compilers at a time (all processors)
#   POLDER_PYTHON      the Python that has PyTorch or JAX, if it is not python3
#   POLDER_SECONDS     for all of it (600): what is left goes to PyTorch and JAX
# Exit status 0 where there is no GPU, with the word "skipped"; not zero when something failed.
set -eu
cd "$(dirname "$0")/.."
file=${1:-docs/results/gpu.md}
begin=$(date +%s)

# Without a device nvidia-smi complains on stdout, and says so by its exit status alone.
gpu=$(nvidia-smi --query-gpu=name,driver_version,compute_cap --format=csv,noheader 2>/dev/null) || gpu=
gpu=$(echo "$gpu" | head -n 1)
if [ -z "$gpu" ]; then
  echo "skipped: no GPU"
  exit 0
fi
nvcc=
for candidate in "$(command -v nvcc || true)" "${CUDA_HOME:-}/bin/nvcc" /usr/local/cuda*/bin/nvcc; do
  if [ -z "$nvcc" ] && [ -x "$candidate" ]; then nvcc=$candidate; fi
done
if [ -z "$nvcc" ]; then
  echo "gpu.sh: there is a GPU ($gpu) but no nvcc: install the CUDA toolkit, or set CUDA_HOME" >&2
  exit 1
fi
sanitizer=$(command -v compute-sanitizer || true)
if [ -z "$sanitizer" ] && [ -x "$(dirname "$nvcc")/compute-sanitizer" ]; then sanitizer=$(dirname "$nvcc")/compute-sanitizer; fi
architecture=$(echo "${gpu##*,}" | tr -dc 0-9)

jobs=${POLDER_JOBS:-$(nproc)}
CUDA_HOME=$(dirname "$(dirname "$nvcc")")
export CUDA_HOME
cmake --preset cuda -D POLDER_EXAMPLES=OFF -D "CMAKE_CUDA_ARCHITECTURES=$architecture"
cmake --build build/cuda -j "$jobs" --target polder_test_thrust_cuda bench_ops_cuda bench_training_cuda
tests=build/cuda/tests/cuda/polder_test_thrust_cuda

"$tests"
checked="not installed here"
if [ -n "$sanitizer" ]; then
  # A test asks for more memory than there is, and must get an error: failed calls are not what is looked for.
  "$sanitizer" --tool memcheck --leak-check full --report-api-errors no --error-exitcode 1 "$tests"
  # Races are looked for access by access, so in the tests of the backends alone.
  "$sanitizer" --tool racecheck --error-exitcode 1 "$tests" "*obligations of a *"
  checked="memcheck and racecheck found nothing"
fi

mkdir -p "$(dirname "$file")"
trap 'rm -f "$file.tmp"' EXIT
{
  echo "# Measured on a GPU"
  echo
  echo "Written by \`sh tests/gpu.sh\`; nothing here is edited by hand. The tests passed before; compute-sanitizer: $checked."
  echo
  echo "- GPU, driver and compute capability: $gpu"
  echo "- compiler: $("$nvcc" --version | sed -n 's/.*release \([^,]*\),.*/nvcc \1/p')"
  echo "- commit: $(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
  echo
  echo "Fused passes: the bytes that one moves, the median time of a call, and its rate beside that of a copy from device to"
  echo "device memory over as much memory in the same run."
  echo
  build/cuda/bench/bench_ops_cuda
  echo
  echo "Training steps, all workers on this GPU: polder's by \`bench_training_cuda\`, PyTorch's and JAX's by"
  echo "\`bench/peers/peers.sh\`."
  echo
  mkdir -p build/peers
  rm -f build/peers/peers.jsonl
  build/cuda/bench/bench_training_cuda build/peers/peers.jsonl fp32 2 90 >&2 || echo "- polder's rows failed: see the messages"
  # Each of the two may take a minute more than it is given.
  left=$((${POLDER_SECONDS:-600} - $(date +%s) + begin - 120))
  [ "$left" -gt 0 ] || left=0
  PEERS_KEEP=1 PEERS_SECONDS=$left sh bench/peers/peers.sh || echo "- failed: see the messages of bench/peers/peers.sh"
} >"$file.tmp"
mv "$file.tmp" "$file"
echo "wrote $file"
