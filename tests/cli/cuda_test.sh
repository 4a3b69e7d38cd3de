#!/bin/sh
# --backend cuda trains on a GPU what --backend eigen trains: the same start, the same images, the same numbers up to the
# rounding of sums.
. tests/cli/support.sh

if ! nvidia-smi >/dev/null 2>&1; then
  echo "skipped: no GPU"
  exit 77
fi

for model in mlp:16 lenet5 resnet20; do
  compare cuda $model --train-limit 200 --workers 1 --lr 0 --augment crop-flip --label-smoothing 0.1
  same_parameters
  near loss 1e-5
  near train_loss 1e-5
done
for method in qgm "q_saddle --rho 0.1" n_saddle "dppf --push 0.1" "mgrawa --period 2"; do
  compare cuda mlp:16 --train-limit 640 --workers 4 --method "$method"
  near loss 1e-4
  near train_loss 1e-4
done
# Equal input, equal bits, whatever the precision.
for precision in fp32 tf32 bf16; do
  run="--dataset digits --data examples/data --model lenet5 --workers 4 --epochs 1 --backend cuda --precision $precision"
  # shellcheck disable=SC2086
  first=$(hash_of $run)
  [ -n "$first" ] || fail "'$run' does not run"
  # shellcheck disable=SC2086
  [ "$(hash_of $run)" = "$first" ] || fail "$precision: another hash in the second run"
  # shellcheck disable=SC2086
  [ "$(hash_of $run --graphs on)" = "$first" ] || fail "$precision: another hash with --graphs on"
done
finish
