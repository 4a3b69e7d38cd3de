#!/bin/sh
# polder-train's command line: exit status, one sentence for what is wrong, the summary, the log and the files.
. tests/cli/support.sh

# rejects PATTERN ARGUMENT...: exit status 2, nothing on stdout, one line on stderr that names what is in the pattern.
rejects() {
  pattern=$1
  shift
  status=0
  timeout 60 "$POLDER_TRAIN" "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
  [ "$status" -eq 2 ] || fail "'$*' ends with status $status"
  [ ! -s "$scratch/out" ] || fail "'$*' writes to stdout"
  [ "$(wc -l <"$scratch/err")" -eq 1 ] || fail "'$*' says more or less than one line: $(cat "$scratch/err")"
  grep -q -e "$pattern" "$scratch/err" || fail "'$*' says: $(cat "$scratch/err")"
}
rejects '--lr abc: allowed: a number >= 0' --lr abc
rejects '--lr nan: allowed' --lr nan
rejects '--lr -1: allowed' --lr -1
rejects '--lr: allowed: given once' --lr
rejects '--lr: allowed: given once' --lr 0.1 --lr 0.2
rejects '--epochs 0: allowed: a whole number from 1 to 1000000000' --epochs 0
rejects '--epochs 18446744073709551615: allowed: a whole number from 1 to 1000000000' --epochs 18446744073709551615
rejects '--epochs 1.5: allowed' --epochs 1.5
rejects '--batch 99999999999999999999: allowed' --batch 99999999999999999999
rejects '--workers 1000: allowed: a whole number from 1 to 256' --workers 1000
rejects '--momentum 1: allowed: a number in \[0, 1)' --momentum 1
rejects '--gamma 0: allowed: a number in (0, 1\]' --gamma 0
rejects '--method adam: allowed: all_reduce, d_psgd' --method adam
rejects '--partition dirichlet:0: allowed' --partition dirichlet:0
rejects '--lr-schedule linear: allowed' --lr-schedule linear
rejects '--lr-schedule cosine:100: allowed: fewer epochs of warm-up than the 4 of --epochs' --epochs 4 --lr-schedule cosine:100
rejects '--lr-schedule constant:4: allowed: fewer epochs' --epochs 4 --lr-schedule constant:4
rejects '--lr-schedule steps:9223372036854775808: allowed: fewer epochs' --lr-schedule steps:9223372036854775808
rejects '--lr-schedule swa:4: allowed: fewer epochs' --epochs 4 --lr-schedule swa:4
rejects '--lr-floor 0.1: does not apply with --lr-schedule steps:2; allowed with --lr-schedule cosine, swa' \
  --lr-schedule steps:2 --lr-floor 0.1
rejects '--lr-floor 0.2: allowed: at most the 0.1 of --lr' --lr 0.1 --lr-floor 0.2
rejects '--lr-swa-start 0.5: does not apply with --lr-schedule cosine; allowed with --lr-schedule swa' --lr-swa-start 0.5
rejects '--lr-swa-start 0: allowed: a number in (0, 1\]' --lr-schedule swa --lr-swa-start 0
rejects '--qsr-warmup 2: does nothing with --lr-schedule cosine; allowed with epochs of warm-up, as in cosine:1' \
  --method qsr --qsr-warmup 2
rejects '--model lenet6: allowed: lenet5' --model lenet6
rejects '--dataset mnist: allowed: fashion-mnist, cifar10, cifar100, digits, user' --dataset mnist
rejects '--augment mixup: allowed: none, crop-flip' --augment mixup
rejects '--topology pentagon: .*allowed are ring' --topology pentagon
rejects '--topology hypercube: .*6' --topology hypercube --workers 6
rejects '--communicator nccl: allowed' --communicator nccl
rejects '--backend opencl: allowed: eigen, ' --backend opencl
rejects '--precision fp64: allowed: fp32, tf32, bf16' --precision fp64
rejects '--precision tf32: does not apply with --backend eigen; allowed with --backend cuda' --precision tf32
rejects '--graphs on: does not apply with --backend eigen; allowed with --backend cuda' --graphs on
rejects '--precision bf16: does not apply with --backend reference' --backend reference --precision bf16
if "$POLDER_TRAIN" --help | grep -q 'cuda (a GPU)'; then
  rejects '--backend cuda: --method choco_sgd needs host memory; allowed: eigen, ' --backend cuda --method choco_sgd
  rejects '--backend cuda: --method power_sgd needs host memory' --backend cuda --method power_sgd
  nvidia-smi >/dev/null 2>&1 || rejects '--backend cuda: there is no GPU .*; allowed: eigen, ' --backend cuda
else
  rejects '--backend cuda: .*built without CUDA (configure with -D POLDER_CUDA=ON); allowed: eigen, ' --backend cuda
fi
rejects '--push-schedule up: allowed' --method dppf --push-schedule up
rejects "unknown argument '--learning-rate'" --learning-rate 1
rejects "unknown argument 'more'" more
# Many processes that do not know of each other.
for ranks in OMPI_COMM_WORLD PMI; do
  export "${ranks}_SIZE=3" "${ranks}_RANK=0"
  # shellcheck disable=SC2086
  rejects '--communicator in_process: .*3 processes.*; allowed: ' $digits --epochs 1
  export "${ranks}_RANK=2"
  status=0
  # shellcheck disable=SC2086
  "$POLDER_TRAIN" $digits --epochs 1 >"$scratch/out" 2>&1 || status=$?
  [ "$status" -eq 2 ] || fail "the third of three processes ends with status $status"
  [ ! -s "$scratch/out" ] || fail "the third of three processes says: $(cat "$scratch/out")"
  unset "${ranks}_SIZE" "${ranks}_RANK"
done
rejects '--gamma safe: allowed: a number in (0, 1\], or derived' --method choco_sgd --gamma safe
rejects '--gamma derived: allowed with --method choco_sgd' --method dsgdm_n --gamma derived
rejects '--gamma derived: allowed with --method choco_sgd' --method comp_q_saddle --error-feedback on --gamma derived
rejects '--compress gzip: allowed: none, qsgd:BITS' --method choco_sgd --compress gzip
rejects '--compress qsgd:9: allowed' --method choco_sgd --compress qsgd:9
rejects '--compress qsgd:1: allowed' --method choco_sgd --compress qsgd:1
rejects '--compress qsgd:4:63: allowed' --method choco_sgd --compress qsgd:4:63
rejects '--compress qsgd:4:: allowed' --method choco_sgd --compress qsgd:4:
rejects '--compress qsgd:64: allowed' --method choco_sgd --compress qsgd:64
rejects '--measure-compression on: does not apply to --method qgm; allowed with choco_sgd' --measure-compression on
rejects '--compress top_k: allowed' --method choco_sgd --compress top_k
rejects '--compress top_k:1.5: allowed' --method choco_sgd --compress top_k:1.5
rejects '--compress-cross gzip: allowed: none, qsgd:BITS' --method comp_ngm --compress-cross gzip
rejects '--compress-cross sign: does not apply to --method comp_q_saddle; allowed with comp_ngm, comp_cga, comp_n_saddle' \
  --method comp_q_saddle --compress-cross sign
rejects '--error-feedback off: does not apply with --compress-cross none' \
  --method comp_cga --compress-cross none --error-feedback off
rejects '--topology one_peer_exponential: --method comp_n_saddle' --method comp_n_saddle --topology one_peer_exponential
rejects '--error-feedback yes: allowed: off, on' --method comp_q_saddle --error-feedback yes
rejects '--topology one_peer_exponential: --method choco_sgd' --method choco_sgd --topology one_peer_exponential
# Options of other methods are not ignored.
rejects '--compress sign: does not apply to --method qgm; allowed with choco_sgd, deep_squeeze, comp_q_saddle' --compress sign
rejects '--error-feedback on: does not apply to --method choco_sgd' --method choco_sgd --error-feedback on
rejects '--rho 0.1: does not apply to --method qgm; allowed with q_saddle, comp_q_saddle, n_saddle' --method qgm --rho 0.1
rejects '--topology ring: does not apply to --method all_reduce' --method all_reduce --topology ring
rejects '--mu 0.5: does not apply to --method dsgdm_n; allowed with qgm, q_saddle, comp_q_saddle' --method dsgdm_n --mu 0.5
rejects '--momentum 0.5: does not apply to --method d_psgd' --method d_psgd --momentum 0.5
rejects '--topology one_peer_exponential: --method ngm answers along every edge' --method ngm --topology one_peer_exponential
rejects '--push 1: does not apply to --method local_sgd; allowed with dppf' --method local_sgd --push 1
rejects '--rank 2: does not apply to --method qgm; allowed with power_sgd' --rank 2
rejects '--rank 0: allowed: a whole number >= 1' --method power_sgd --rank 0
rejects '--topology ring: does not apply to --method power_sgd' --method power_sgd --topology ring
rejects '--server on: does not apply to --method lsgd; allowed with easgd, dppf' --method lsgd --server on
# Options that serve only with some values of another one.
rejects '--server on: does not apply with --pull-to average; allowed with --pull-to elastic' --method dppf --server on
for also in '--push-from average' '--push-from target --push-exact on' '--push 0 --push-exact on'; do
  # shellcheck disable=SC2086
  rejects '--server on: nobody knows the average.*; allowed with --push-exact off, and --push-from target or --push 0' \
    --method dppf --pull-to elastic --server on $also
done
rejects '--proximal 0.1: does not apply with --pull-to elastic; allowed with --pull-to leader, mgrawa, lgrawa' \
  --method dppf --pull-to elastic --proximal 0.1
rejects '--proximal 0.1: does not apply with --sync drift_triggered; allowed with --sync constant, post_local' \
  --method dppf --pull-to leader --sync drift_triggered --proximal 0.1
rejects '--period 3: does not apply with --sync drift_triggered' --method local_sgd --sync drift_triggered --period 3
# How many rounds there will be, only the run tells.
rejects '--push-schedule decreasing: does not apply with --sync loss_adaptive; allowed with --sync constant, post_local, qsr' \
  --method dppf --sync loss_adaptive --push-schedule decreasing
rejects '--sync weekly: allowed: constant, post_local, qsr, loss_adaptive, drift_triggered' --method dppf --sync weekly
rejects '--sync qsr: does not apply to --method lsgd; allowed with local_sgd, dppf' --method lsgd --sync qsr
rejects '--qsr-alpha 0.1: does not apply with --sync constant; allowed with --sync qsr' --method dppf --qsr-alpha 0.1
rejects '--drift 2: does not apply with --sync qsr; allowed with --sync drift_triggered' \
  --method local_sgd --sync qsr --drift 2
rejects '--look-every 0: allowed: a whole number >= 1' --method local_sgd --sync drift_triggered --look-every 0
rejects '--start-epoch 3: allowed: at most the 2 of --epochs' \
  --method dppf --sync post_local --epochs 2 --start-epoch 3
rejects '--proximal 0.1: does not apply to --method easgd; allowed with lsgd, mgrawa, lgrawa, dppf' \
  --method easgd --proximal 0.1
rejects '--pull-to middle: allowed: average, elastic, leader' --method dppf --pull-to middle
rejects '--qsr-power 4: allowed: a whole number from 1 to 3' --method qsr --qsr-power 4
rejects '--start-epoch 5: allowed: at most the 4 of --epochs' --method swa --epochs 4 --start-epoch 5
rejects '--period 2: does not apply to --method qgm' --period 2
rejects '--checkpoint-every 5: needs --checkpoint' --checkpoint-every 5
rejects '--dataset user: needs --data' --dataset user
# What only the data can tell.
# shellcheck disable=SC2086
rejects '1000 samples for 8 workers are fewer than a batch of 500' $digits --batch 500 --workers 8
rejects "--data $scratch: allowed: a folder with" --data "$scratch"
rejects '--data /nonexistent: allowed: a folder with train-images-idx3-ubyte' --dataset fashion-mnist --data /nonexistent
rejects '--data /nonexistent: allowed: a folder with optdigits-train.csv' --dataset digits --data /nonexistent
rejects '--data examples/data: allowed: a folder with train-images.npy' --dataset user --data examples/data
# What only the file system can tell: before anything is trained.
# shellcheck disable=SC2086
rejects '--resume /nonexistent: .*allowed: a folder that holds the checkpoints of a run' $digits --resume /nonexistent
# shellcheck disable=SC2086
rejects '--log /nonexistent/x.jsonl: allowed: a file in a folder that is there' $digits --log /nonexistent/x.jsonl
# shellcheck disable=SC2086
rejects '--export /nonexistent/x: allowed: a file in a folder that is there' $digits --export /nonexistent/x
# shellcheck disable=SC2086
rejects "--log $scratch: allowed: a file" $digits --log "$scratch"
# shellcheck disable=SC2086
rejects '--report README.md/here: allowed: a folder' $digits --report README.md/here
# shellcheck disable=SC2086
rejects '--checkpoint README.md: allowed: a folder' $digits --checkpoint README.md

# One run with all it can leave behind.
# shellcheck disable=SC2086
"$POLDER_TRAIN" $digits --method dppf --push 0.1 --pull 0.5 --partition iid --workers 3 --epochs 3 --lr 0.1 --batch 16 --period 4 --log "$scratch/run.jsonl" \
  --export "$scratch/model.safetensors" --report "$scratch/report" >"$scratch/out" 2>"$scratch/err" ||
  fail "a plain run fails: $(cat "$scratch/err")"
[ ! -s "$scratch/err" ] || fail "a run without a terminal writes to stderr: $(cat "$scratch/err")"
for key in method workers topology dataset model seed epochs evaluated_model accuracy_mean_model accuracy_worker_mean \
  accuracy_worker_min loss train_loss consensus_distance valley_width mean_direction valley_width_before gamma_used \
  bytes_sent_per_worker \
  bytes_sent_per_worker_max seconds samples_per_second param_hash; do
  tail -n 1 "$scratch/out" | grep -q "\"$key\": " || fail "the summary lacks $key"
done
tail -n 1 "$scratch/out" | grep -q '"topology": null' || fail "dppf has no topology, the summary must say null"
[ "$(value workers "$scratch/out")" = 3 ] || fail "workers are $(value workers "$scratch/out"), not 3"
# 1000 images, 3 workers, batches of 16: 20 steps an epoch, 15 rounds. An all-reduce of P numbers over 3 workers sends
# 2 * 2/3 * P * 4 bytes per worker, and 2 * 3 sums of gaps: P = 64 * 16 + 16 + 16 * 10 + 10 = 1210.
[ "$(value bytes_sent_per_worker "$scratch/out" | cut -d. -f1)" = $((15 * 4 * 4 * 1210 / 3 + 15 * 2 * 3 * 8)) ] ||
  fail "bytes sent: $(value bytes_sent_per_worker "$scratch/out")"
case $(value accuracy_mean_model "$scratch/out") in
  0.[6-9]* | 1) ;;
  *) fail "an accuracy of $(value accuracy_mean_model "$scratch/out") on digits" ;;
esac
[ "$(wc -l <"$scratch/run.jsonl")" -eq 3 ] || fail "the log has $(wc -l <"$scratch/run.jsonl") lines, not 3"
head -c 400 "$scratch/model.safetensors" | grep -q 'dense1.weight' || fail "the exported model has no dense1.weight"
grep -q '<svg' "$scratch/report/report.html" || fail "the report has no picture"
grep -q '^dppf ' "$scratch/report/table.txt" || fail "the report's table lacks the run"

# Compressed messages: what is counted on the wire is what the compressor says, for each neighbor and round.
for kind in none qsgd:8 qsgd:3 qsgd:3:64 sign top_k:0.25 random_k:0.25 bf16 fp16; do
  # shellcheck disable=SC2086
  "$POLDER_TRAIN" $digits --method comp_q_saddle --compress $kind --workers 4 --epochs 2 --batch 10 >"$scratch/out" 2>&1 ||
    fail "--compress $kind: $(cat "$scratch/out")"
  # 1000 images, 4 workers, batches of 10: 25 steps an epoch; two neighbors.
  [ "$(value bytes_sent_per_worker "$scratch/out")" = $((2 * 2 * 25 * $(value message_bytes "$scratch/out"))) ] ||
    fail "--compress $kind: $(value bytes_sent_per_worker "$scratch/out") bytes, messages of $(value message_bytes "$scratch/out")"
  # Tensors of 1024, 16, 160 and 10 numbers make 16, 1, 3 and 1 buckets of at most 64.
  [ $kind != qsgd:3:64 ] || [ "$(value message_bytes "$scratch/out")" -eq $((40 + 21 * 4 + 3 * 1024 / 8 + 6 + 3 * 160 / 8 + 4)) ] ||
    fail "--compress $kind: messages of $(value message_bytes "$scratch/out")"
done
# Cross-gradients have two messages, each with its own compressor; an uncompressed one is the numbers alone.
for kinds in "qsgd:8 sign" "none top_k:0.25" "bf16 none" "none none"; do
  # shellcheck disable=SC2086
  "$POLDER_TRAIN" $digits --method comp_ngm --compress ${kinds% *} --compress-cross ${kinds#* } --workers 4 --epochs 1 --batch 10 \
    >"$scratch/out" 2>&1 || fail "--compress and --compress-cross $kinds: $(cat "$scratch/out")"
  parameters=$(value message_bytes "$scratch/out")
  gradients=$(value message_bytes_cross "$scratch/out")
  [ "$(value bytes_sent_per_worker "$scratch/out")" = $((2 * 25 * (parameters + gradients))) ] ||
    fail "$kinds: $(value bytes_sent_per_worker "$scratch/out") bytes, messages of $parameters and $gradients"
done
# 64 * 16 + 16 + 16 * 10 + 10 = 1210 numbers.
[ "$parameters $gradients" = "4840 4840" ] || fail "uncompressed messages have $parameters and $gradients bytes"
# Without its memory for each neighbor the same compressor ends elsewhere.
# shellcheck disable=SC2086
[ "$(hash_of $digits --method comp_ngm --workers 4 --epochs 1)" != \
  "$(hash_of $digits --method comp_ngm --workers 4 --epochs 1 --error-feedback off)" ] ||
  fail "--error-feedback off changes nothing"
# The consensus step: 1 without compression, 0.5 with it, as told, or derived. The mlp's 10 biases keep 2 of 10: the least
# share k/m is 0.2, gamma = 0.2 / (2/3) on a ring.
used() {
  expected=$1
  shift
  # shellcheck disable=SC2086
  "$POLDER_TRAIN" $digits --workers 4 --epochs 1 "$@" >"$scratch/out" 2>&1 || fail "'$*': $(cat "$scratch/out")"
  case $(value gamma_used "$scratch/out") in
    $expected | ${expected}0000*) ;;
    *) fail "'$*' uses a consensus step of $(value gamma_used "$scratch/out"), not $expected" ;;
  esac
}
used 1 --method dsgdm_n
used 0.75 --method qgm --gamma 0.75
used 0.5 --method choco_sgd --compress top_k:0.25
used 0.4 --method deep_squeeze --gamma 0.4
used 0.3 --method choco_sgd --compress top_k:0.25 --gamma derived
used 1 --method comp_q_saddle --compress none --gamma derived
used null --method all_reduce
# PowerSGD: two all-reduces in each of 20 steps on 3 workers; factors of 16 x 64 and 10 x 16, and 26 biases.
# shellcheck disable=SC2086
"$POLDER_TRAIN" $digits --method power_sgd --rank 3 --partition iid --workers 3 --epochs 1 --batch 16 >"$scratch/out" 2>&1 ||
  fail "power_sgd: $(cat "$scratch/out")"
[ "$(value bytes_sent_per_worker "$scratch/out" | cut -d. -f1)" = $((20 * 4 * 4 * (3 * 26 + 26 + 3 * 80) / 3 + 20 * 2 * 2 * 3 * 8)) ] ||
  fail "power_sgd sends $(value bytes_sent_per_worker "$scratch/out") bytes"
# A gradient step that leaves the numbers is a failure, even in the last step.
status=0
# shellcheck disable=SC2086
"$POLDER_TRAIN" $digits --method d_psgd --epochs 1 --lr 1e300 --workers 2 >"$scratch/out" 2>"$scratch/err" || status=$?
[ "$status" -eq 1 ] || fail "a run that ends in no numbers has status $status"

# The user's own images: a line each, the label last.
awk 'BEGIN { for (i = 0; i < 400; i++) { l = i % 2; printf "%d,%d,%d,%d\n", l * 5 + i % 3, i % 7, 3 - l * 2, l } }' >"$scratch/train.csv"
cp "$scratch/train.csv" "$scratch/test.csv"
"$POLDER_TRAIN" --data "$scratch" --model mlp:8 --workers 4 --epochs 5 --batch 10 --partition iid >"$scratch/out" 2>&1 ||
  fail "a run on CSV files: $(cat "$scratch/out")"
[ "$(value dataset "$scratch/out")" = user ] || fail "the dataset of CSV files is $(value dataset "$scratch/out")"

# A stray label is named, instead of a network of a million outputs.
mkdir "$scratch/stray"
{
  cat "$scratch/train.csv"
  echo '1,2,3,1000000'
} >"$scratch/stray/train.csv"
cp "$scratch/test.csv" "$scratch/stray"
status=0
timeout 60 "$POLDER_TRAIN" --data "$scratch/stray" --workers 4 --epochs 1 --batch 10 >"$scratch/out" 2>"$scratch/err" || status=$?
[ "$status" -eq 1 ] || fail "a stray label ends with status $status"
grep -q "stray/train.csv' row 401: the label 1000000 " "$scratch/err" || fail "a stray label: $(cat "$scratch/err")"

# A run that fails: status 1, worker and step named.
status=0
# shellcheck disable=SC2086
"$POLDER_TRAIN" $digits --workers 2 --epochs 20 --lr 1e30 --lr-schedule constant >"$scratch/out" 2>"$scratch/err" || status=$?
[ "$status" -eq 1 ] || fail "a run that diverges ends with status $status"
grep -q 'worker [01], step [0-9]*: the loss is' "$scratch/err" || fail "a diverged run says: $(cat "$scratch/err")"
[ ! -s "$scratch/out" ] || fail "a failed run prints a summary"

# Numbers that do not get onto a full disk.
if [ -c /dev/full ]; then
  status=0
  # shellcheck disable=SC2086
  "$POLDER_TRAIN" $digits --workers 2 --epochs 1 >/dev/full 2>"$scratch/err" || status=$?
  [ "$status" -eq 1 ] || fail "a run whose numbers are lost ends with status $status"
  grep -q 'the run is done, but: cannot write the numbers to stdout: ' "$scratch/err" ||
    fail "a run whose numbers are lost says: $(cat "$scratch/err")"
fi

"$POLDER_TRAIN" --help >"$scratch/out" || fail "--help fails"
for option in --method --workers --topology --dataset --data --model --partition --augment --epochs --batch --lr --lr-schedule \
  --lr-floor --lr-swa-start --ema-decay --momentum --mu --rho --gamma --weight-decay --pull --push --push-start --period \
  --sync --qsr-warmup --drift --look-every --rank --seed --communicator --backend --precision --graphs --eval-every \
  --clip-norm --label-smoothing --pull-to --server --proximal --outer-lr --qsr-alpha --start-epoch --scope --log --report \
  --checkpoint --checkpoint-every --resume --export; do
  grep -q -e "$option " "$scratch/out" || fail "--help does not tell of $option"
done
finish
