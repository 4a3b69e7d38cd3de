#!/bin/sh
# What an option is there for: with it the run ends elsewhere than without it, a checkpoint knows its value, and a run that
# goes on from one ends where the undisturbed one does. An option that is read and forgotten fails here.
. tests/cli/support.sh

run="$digits --workers 4 --epochs 2 --batch 10 --eval-every 0"
# changes KEY ARGUMENTS OPTION VALUE: KEY of the summary, beside the same run without the option.
changes() {
  key=$1
  arguments="$run --method $2"
  option=$3
  folder=$scratch/checkpoints
  rm -rf "$folder"
  # shellcheck disable=SC2086
  "$POLDER_TRAIN" $arguments >"$scratch/without.out" 2>&1 || fail "$2: $(cat "$scratch/without.out")"
  # shellcheck disable=SC2086
  "$POLDER_TRAIN" $arguments "$option" "$4" --checkpoint "$folder" --checkpoint-every 19 >"$scratch/with.out" 2>&1 ||
    fail "$2 $3 $4: $(cat "$scratch/with.out")"
  [ "$(value "$key" "$scratch/with.out")" != "$(value "$key" "$scratch/without.out")" ] || fail "$2: $3 $4 changes no $key"
  # The last checkpoint is that of step 38 of 50.
  # shellcheck disable=SC2086
  "$POLDER_TRAIN" $arguments "$option" "$4" --resume "$folder" >"$scratch/resumed.out" 2>"$scratch/resumed.err" ||
    fail "$2 $3 $4 does not go on: $(cat "$scratch/resumed.err")"
  grep -q 'going on after step 38' "$scratch/resumed.err" || fail "$2 $3 $4 goes on from: $(cat "$scratch/resumed.err")"
  for same in param_hash loss bytes_sent_per_worker; do
    [ "$(value $same "$scratch/resumed.out")" = "$(value $same "$scratch/with.out")" ] || fail "$2 $3 $4: another $same after a rest"
  done
  status=0
  # shellcheck disable=SC2086
  "$POLDER_TRAIN" $arguments --resume "$folder" >"$scratch/out" 2>"$scratch/err" || status=$?
  [ $status -eq 2 ] || fail "$2: going on without $3 $4 ends with status $status"
  grep -q -e "$option was " "$scratch/err" || fail "$2: going on without $3 $4 says: $(cat "$scratch/err")"
}

dppf="dppf --push 0.1"
changes param_hash "dppf" --push 0.1
changes param_hash "$dppf" --pull 0.3
changes param_hash "$dppf" --period 3
changes param_hash "$dppf" --push-schedule increasing
changes param_hash "$dppf" --push-schedule decreasing
changes param_hash "$dppf" --push-start 2
changes param_hash "$dppf" --push-norm tensor
changes param_hash "$dppf --pull-to leader" --push-from target
changes param_hash "$dppf" --push-exact on
for target in elastic leader mgrawa lgrawa; do
  changes param_hash "$dppf" --pull-to $target
done
for target in leader mgrawa lgrawa; do
  changes param_hash "$dppf --pull-to $target" --proximal 0.3
done
changes bytes_sent_per_worker "$dppf --pull-to elastic --push-from target" --server on
for method in local_sgd "$dppf"; do
  for rule in post_local qsr loss_adaptive drift_triggered; do
    changes param_hash "$method" --sync $rule
  done
  changes param_hash "$method --sync post_local" --start-epoch 2
  changes param_hash "$method --sync qsr" --qsr-alpha 0.2
  changes param_hash "$method --sync qsr --qsr-alpha 0.2" --qsr-power 3
  changes param_hash "$method --sync qsr --lr-schedule cosine:1" --qsr-warmup 2
  changes param_hash "$method --sync drift_triggered" --drift 0.1
  changes param_hash "$method --sync drift_triggered --drift 0.1" --look-every 4
done
changes param_hash "qsr" --qsr-alpha 0.2
changes param_hash "qsr --qsr-alpha 0.2" --qsr-power 3
changes param_hash "qsr --lr-schedule cosine:1" --qsr-warmup 2
changes param_hash "lsgd" --proximal 0.3
changes param_hash "mgrawa --period 5" --proximal 0.3
changes bytes_sent_per_worker "easgd" --server on
changes param_hash "local_sam" --rho 0.2
changes param_hash "ddp_sam" --scope all_workers
changes param_hash "lookahead" --outer-lr 0.5
changes param_hash "slow_mo" --averages 2
changes param_hash "slow_mo --averages 2" --outer-lr 0.5
changes param_hash "slow_mo --averages 2" --outer-momentum 0.3
changes param_hash "diloco --period 10" --outer-lr 0.5
changes param_hash "diloco --period 10" --outer-momentum 0.3
changes param_hash "post_local_sgd --period 5" --start-epoch 2
# Averages in time are not trained with: their loss tells.
changes loss "swa" --start-epoch 2
changes loss "ema" --ema-decay 0.5
changes param_hash "local_sgd" --lr-schedule swa
changes param_hash "local_sgd" --lr-floor 0.01
changes param_hash "local_sgd --lr-schedule swa" --lr-floor 0.01
changes param_hash "local_sgd --lr-schedule swa" --lr-swa-start 0.4
finish
