#!/bin/sh
# CIFAR's files and augmentation: networks of 3 x 32 x 32 run on them; the same seed makes the same images over threads, over
# MPI and after a resume; the test images stay as they are.
. tests/cli/support.sh

# byte VALUE: one byte.
byte() { printf "\\$(printf '%03o' "$1")"; }
# gray VALUE: the 3072 bytes of an image of one gray.
head -c 3072 /dev/zero >"$scratch/black"
gray() { tr '\000' "\\$(printf '%03o' "$1")" <"$scratch/black"; }
# records CIFAR N: N images, darker and lighter ones with labels 0 and 1.
records() {
  i=0
  while [ $i -lt "$2" ]; do
    [ "$1" = 10 ] || byte $((i % 20))
    byte $((i % 2))
    gray $((40 + 160 * (i % 2) + i))
    i=$((i + 1))
  done
}
mkdir "$scratch/cifar10" "$scratch/cifar-100-binary"
for batch in 1 2 3 4 5; do records 10 8 >"$scratch/cifar10/data_batch_$batch.bin"; done
records 10 6 | gzip -c >"$scratch/cifar10/test_batch.bin.gz"
records 100 20 >"$scratch/cifar-100-binary/train.bin"
records 100 4 >"$scratch/cifar-100-binary/test.bin"
# Where there is xz, one of the batches is packed with it.
if command -v xz >/dev/null 2>&1; then
  xz "$scratch/cifar10/data_batch_4.bin"
  status=0
  "$POLDER_TRAIN" --dataset cifar10 --data "$scratch" --model mlp:4 --workers 2 --batch 5 --epochs 1 >"$scratch/out" \
    2>"$scratch/err" || status=$?
  if grep -q 'built without liblzma' "$scratch/err"; then
    [ "$status" -eq 1 ] || fail "an xz file without liblzma ends with status $status"
    echo "skipped: .xz files (polder-train was built without liblzma)"
    xz -d "$scratch/cifar10/data_batch_4.bin.xz"
  elif [ "$status" -ne 0 ]; then
    fail "an xz file: $(cat "$scratch/err")"
  fi
fi

for model in lenet5 resnet20 vgg11:evonorm; do
  "$POLDER_TRAIN" --dataset cifar10 --data "$scratch" --model $model --workers 2 --batch 4 --epochs 1 --partition iid \
    --augment crop-flip >"$scratch/out" 2>"$scratch/err" || fail "$model on CIFAR-10: $(cat "$scratch/err")"
  [ "$(value dataset "$scratch/out")" = cifar10 ] || fail "$model: the dataset is $(value dataset "$scratch/out")"
done
# A hundred classes: the mlp has 3072 * 4 + 4 + 4 * 100 + 100 numbers, which a worker sends once an epoch to its neighbor.
"$POLDER_TRAIN" --dataset cifar100 --data "$scratch" --model mlp:4 --workers 2 --batch 10 --epochs 1 --partition iid \
  >"$scratch/out" 2>"$scratch/err" || fail "CIFAR-100: $(cat "$scratch/err")"
[ "$(value bytes_sent_per_worker "$scratch/out")" = $((4 * (3072 * 4 + 4 + 4 * 100 + 100))) ] ||
  fail "CIFAR-100 sends $(value bytes_sent_per_worker "$scratch/out") bytes"
# A folder says what it holds, in a subfolder or by itself.
"$POLDER_TRAIN" --data "$scratch/cifar10" --model mlp:4 --workers 2 --batch 4 --epochs 1 >"$scratch/out" 2>"$scratch/err" ||
  fail "--data with CIFAR-10 in it: $(cat "$scratch/err")"
[ "$(value dataset "$scratch/out")" = cifar10 ] || fail "--data with CIFAR-10 in it is $(value dataset "$scratch/out")"

# A damaged batch is named, with status 1; a folder without one and no folder at all are wrong use.
printf x >>"$scratch/cifar10/data_batch_2.bin"
status=0
"$POLDER_TRAIN" --dataset cifar10 --data "$scratch" --epochs 1 >"$scratch/out" 2>"$scratch/err" || status=$?
[ "$status" -eq 1 ] || fail "a damaged batch ends with status $status"
grep -q "data_batch_2.bin' is not a valid CIFAR-10 file: .*1 bytes more" "$scratch/err" || fail "a damaged batch: $(cat "$scratch/err")"
for arguments in "--dataset cifar10" "--dataset cifar100" "--dataset cifar10 --data /nonexistent" "--dataset cifar100 --data examples/data"; do
  status=0
  # shellcheck disable=SC2086
  "$POLDER_TRAIN" $arguments >"$scratch/out" 2>"$scratch/err" || status=$?
  [ "$status" -eq 2 ] || fail "$arguments ends with status $status"
  grep -q 'allowed: .*a folder with .*bin (CIFAR-10' "$scratch/err" || fail "$arguments: $(cat "$scratch/err")"
done

# Augmentation: the same bits again, on one processor, over MPI and after a resume; others without it or with another seed.
run="$digits --workers 4 --epochs 4 --batch 10 --method q_saddle"
# shellcheck disable=SC2086
first=$(hash_of $run --augment crop-flip)
[ -n "$first" ] || fail "--augment crop-flip does not run"
accuracy=$(value accuracy_mean_model "$scratch/hash.out")
# shellcheck disable=SC2086
[ "$(hash_of $run --augment crop-flip)" = "$first" ] || fail "another hash in the second run"
# shellcheck disable=SC2086
plain=$(hash_of $run)
[ "$plain" != "$first" ] || fail "--augment crop-flip changes nothing"
# shellcheck disable=SC2086
[ "$(hash_of $run --augment none)" = "$plain" ] || fail "--augment none is not the default"
if command -v taskset >/dev/null 2>&1; then
  # shellcheck disable=SC2086
  taskset -c 0 "$POLDER_TRAIN" $run --augment crop-flip >"$scratch/one.out"
  [ "$(value param_hash "$scratch/one.out")" = "$first" ] || fail "another hash on one processor"
fi
if has_mpi; then
  # shellcheck disable=SC2086
  mpirun -n 4 "$POLDER_TRAIN" $run --augment crop-flip --communicator mpi >"$scratch/mpi.out"
  [ "$(value param_hash "$scratch/mpi.out")" = "$first" ] || fail "another hash over MPI"
  [ "$(value accuracy_mean_model "$scratch/mpi.out")" = "$accuracy" ] || fail "another accuracy over MPI"
else
  echo "skipped: augmentation over MPI (no mpirun, or built without MPI)"
fi
# The newest checkpoint is damaged, so that a resumed run has some steps to go from the one before.
# shellcheck disable=SC2086
"$POLDER_TRAIN" $run --augment crop-flip --checkpoint "$scratch/run" --checkpoint-every 30 >"$scratch/out" 2>"$scratch/err" ||
  fail "checkpoints with --augment: $(cat "$scratch/err")"
newest=$(ls "$scratch/run" | sed -n 's/^step-//p' | sort -n | tail -n 1)
printf 'x' | dd of="$scratch/run/step-$newest/worker-2.safetensors" bs=1 seek=2000 conv=notrunc 2>/dev/null
# shellcheck disable=SC2086
[ "$(hash_of $run --augment crop-flip --resume "$scratch/run" 2>"$scratch/err")" = "$first" ] || fail "another hash after a resume"
grep -q 'going on after step [1-9]' "$scratch/err" || fail "the run did not go on: $(cat "$scratch/err")"
status=0
# shellcheck disable=SC2086
"$POLDER_TRAIN" $run --resume "$scratch/run" >"$scratch/out" 2>"$scratch/err" || status=$?
[ "$status" -eq 2 ] || fail "resuming without the augmentation ends with status $status"
grep -q -e '--augment' "$scratch/err" || fail "resuming without the augmentation: $(cat "$scratch/err")"

# With a learning rate of 0 the parameters stay: other training images, the same test images.
# shellcheck disable=SC2086
hash_of $digits --workers 2 --epochs 1 --lr 0 --weight-decay 0 --augment crop-flip >"$scratch/still"
for key in loss accuracy_mean_model accuracy_worker_mean; do
  value $key "$scratch/hash.out" >>"$scratch/still"
done
moved=$(value train_loss "$scratch/hash.out")
# shellcheck disable=SC2086
hash_of $digits --workers 2 --epochs 1 --lr 0 --weight-decay 0 >"$scratch/plain"
for key in loss accuracy_mean_model accuracy_worker_mean; do
  value $key "$scratch/hash.out" >>"$scratch/plain"
done
cmp -s "$scratch/still" "$scratch/plain" || fail "the test images are augmented: $(cat "$scratch/still" "$scratch/plain")"
[ "$(value train_loss "$scratch/hash.out")" != "$moved" ] || fail "the training images are not augmented"

# Images that are too small to be moved.
awk 'BEGIN { for (i = 0; i < 100; i++) print i % 5 "," i % 3 "," i % 2 "," i % 2 }' >"$scratch/train.csv"
cp "$scratch/train.csv" "$scratch/test.csv"
status=0
"$POLDER_TRAIN" --dataset user --data "$scratch" --workers 2 --augment crop-flip >"$scratch/out" 2>"$scratch/err" || status=$?
[ "$status" -eq 2 ] || fail "augmenting a table ends with status $status"
grep -q -e '--augment crop-flip: images of 1 x 1 x 3 cannot be moved' "$scratch/err" || fail "a table: $(cat "$scratch/err")"
finish
