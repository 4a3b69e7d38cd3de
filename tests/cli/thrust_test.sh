#!/bin/sh
# --backend thrust trains on the engine of devices, in host memory, what --backend eigen trains on the host's own: the same
# start, the same images, and the same numbers up to the rounding of sums.
. tests/cli/support.sh

"$POLDER_TRAIN" --help >"$scratch/help"
if ! grep -q 'thrust (' "$scratch/help"; then
  echo "skipped: polder-train was built without Thrust"
  exit 77
fi

# A learning rate of 0 leaves the parameters as they began, and the losses to the images.
for model in mlp:16 lenet5 resnet20 resnet20:evonorm; do
  compare thrust $model --train-limit 200 --workers 1 --lr 0 --augment crop-flip --label-smoothing 0.1
  same_parameters
  near loss 1e-5
  near train_loss 1e-5
done
# Each worker has its own share.
compare thrust lenet5 --train-limit 600 --workers 3 --lr 0 --augment crop-flip --method local_sgd
near train_loss 1e-5

# 16 steps: rounding has not grown yet, and a step left out or another one would show. Also with the images of a probe, for
# the weights of mgrawa, and with methods that compress or multiply matrices.
for method in qgm "q_saddle --rho 0.1" n_saddle "dppf --push 0.1" "mgrawa --period 2" power_sgd "choco_sgd --compress bf16"; do
  compare thrust mlp:16 --train-limit 640 --workers 4 --method "$method"
  near loss 1e-4
  near train_loss 1e-4
  near accuracy_mean_model 0.02
done

# The same bits in another run, whatever the number of threads, and over MPI.
run="$digits --workers 4 --epochs 2 --batch 10 --method q_saddle --backend thrust"
# shellcheck disable=SC2086
first=$(hash_of $run)
[ -n "$first" ] || fail "'$run' does not run"
for threads in 1 3; do
  # shellcheck disable=SC2086
  [ "$(export OMP_NUM_THREADS=$threads && hash_of $run)" = "$first" ] || fail "another hash on $threads OpenMP threads"
done
if has_mpi; then
  # shellcheck disable=SC2086
  OMP_NUM_THREADS=1 mpirun -n 4 "$POLDER_TRAIN" $run --communicator mpi >"$scratch/mpi.out"
  [ "$(value param_hash "$scratch/mpi.out")" = "$first" ] || fail "another hash over MPI"
fi
finish
