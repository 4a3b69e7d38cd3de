#!/bin/sh
# The same seed gives the same bits: threads, MPI, one processor or two; another seed or method gives others.
. tests/cli/support.sh

run="$digits --workers 4 --epochs 2 --batch 10"
for method in all_reduce d_psgd dsgdm_n qgm q_saddle choco_sgd deep_squeeze comp_q_saddle ngm ngm_model cga n_saddle comp_ngm comp_cga comp_n_saddle \
  local_sgd dppf power_sgd; do
  # shellcheck disable=SC2086
  first=$(hash_of $run --method $method)
  [ -n "$first" ] || fail "$method does not run"
  # shellcheck disable=SC2086
  [ "$(hash_of $run --method $method)" = "$first" ] || fail "$method: another hash in the second run"
  if command -v taskset >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    taskset -c 0 "$POLDER_TRAIN" $run --method $method >"$scratch/one.out"
    [ "$(value param_hash "$scratch/one.out")" = "$first" ] || fail "$method: another hash on one processor"
  fi
  if has_mpi; then
    # shellcheck disable=SC2086
    mpirun -n 4 "$POLDER_TRAIN" $run --method $method --communicator mpi >"$scratch/mpi.out"
    [ "$(value param_hash "$scratch/mpi.out")" = "$first" ] || fail "$method: another hash over MPI"
    [ "$(value bytes_sent_per_worker "$scratch/mpi.out")" = "$(value bytes_sent_per_worker "$scratch/hash.out")" ] ||
      fail "$method: other bytes over MPI"
    [ "$(value accuracy_mean_model "$scratch/mpi.out")" = "$(value accuracy_mean_model "$scratch/hash.out")" ] ||
      fail "$method: another accuracy over MPI"
  fi
  echo "$first" >>"$scratch/hashes"
done
# The methods of local steps share their parts: each runs, and those with messages of their own run over MPI as well.
for method in ddp_sgd "ddp_sam --scope all_workers" local_sam "post_local_sgd --period 3" swap "qsr --period 3" \
  "easgd --server on" lsgd "mgrawa --period 5" "lgrawa --period 5" "dppf --pull-to leader --push-exact on" \
  lookahead "slow_mo --averages 2" "diloco --period 10"; do
  # shellcheck disable=SC2086
  first=$(hash_of $run --method $method)
  [ -n "$first" ] || fail "$method does not run"
  echo "$first" >>"$scratch/hashes"
  case $method in
    ddp_sam* | easgd* | lgrawa* | dppf*) ;;
    *) continue ;;
  esac
  has_mpi || continue
  # shellcheck disable=SC2086
  mpirun -n 4 "$POLDER_TRAIN" $run --method $method --communicator mpi >"$scratch/mpi.out"
  [ "$(value param_hash "$scratch/mpi.out")" = "$first" ] || fail "$method: another hash over MPI"
  [ "$(value bytes_sent_per_worker "$scratch/mpi.out")" = "$(value bytes_sent_per_worker "$scratch/hash.out")" ] ||
    fail "$method: other bytes over MPI"
done
# shellcheck disable=SC2086
hash_of $run --method qgm --seed 2 >>"$scratch/hashes"
[ "$(sort -u "$scratch/hashes" | wc -l)" -eq 33 ] || fail "32 methods and another seed do not give 33 hashes"

# A radius of 0, a push of 0 and compressors that do nothing are the base methods, bit for bit.
# shellcheck disable=SC2086
[ "$(hash_of $run --method q_saddle --rho 0)" = "$(hash_of $run --method qgm)" ] || fail "q_saddle with rho 0 is not qgm"
# shellcheck disable=SC2086
[ "$(hash_of $run --method n_saddle --rho 0)" = "$(hash_of $run --method ngm)" ] || fail "n_saddle with rho 0 is not ngm"
# shellcheck disable=SC2086
[ "$(hash_of $run --method comp_n_saddle --rho 0)" = "$(hash_of $run --method comp_ngm)" ] ||
  fail "comp_n_saddle with rho 0 is not comp_ngm"
for method in ngm cga n_saddle; do
  # shellcheck disable=SC2086
  [ "$(hash_of $run --method comp_$method --compress none --compress-cross none)" = "$(hash_of $run --method $method)" ] ||
    fail "comp_$method with nothing compressed is not $method"
done
# shellcheck disable=SC2086
[ "$(hash_of $run --method dppf --push 0 --pull 0.5)" = "$(hash_of $run --method local_sgd --pull 0.5)" ] ||
  fail "dppf with push 0 is not local_sgd"
# shellcheck disable=SC2086
[ "$(hash_of $run --method dppf --push 0 --pull-to elastic)" = "$(hash_of $run --method easgd --server on)" ] ||
  fail "dppf with push 0 to an elastic center is not easgd"
# A synchronization rule of local_sgd is the method of that name.
# shellcheck disable=SC2086
[ "$(hash_of $run --method local_sgd --sync qsr --qsr-alpha 0.1)" = "$(hash_of $run --method qsr --qsr-alpha 0.1)" ] ||
  fail "local_sgd with the rule qsr is not qsr"
# shellcheck disable=SC2086
[ "$(hash_of $run --method local_sgd --sync post_local --period 5)" = "$(hash_of $run --method post_local_sgd --period 5)" ] ||
  fail "local_sgd with the rule post_local is not post_local_sgd"
# In every step, whatever the distance: no distance.
# shellcheck disable=SC2086
[ "$(hash_of $run --method local_sgd --sync drift_triggered --drift 0)" = "$(hash_of $run --method local_sgd --period 1)" ] ||
  fail "local_sgd with a drift of 0 is not local_sgd with a period of 1"
# With what is pulled to near in the local steps, and no push, the pulls of dppf are methods of their own.
for method in lsgd mgrawa lgrawa; do
  target=$method
  [ $method != lsgd ] || target=leader
  shared="--pull 0.4 --proximal 0.2 --period 5"
  # shellcheck disable=SC2086
  [ "$(hash_of $run --method dppf --push 0 --pull-to $target $shared)" = "$(hash_of $run --method $method $shared)" ] ||
    fail "dppf with push 0 to $target is not $method"
done
# The center on worker 0 has the bits of a center on each.
elastic="--method dppf --pull-to elastic --push 0.01 --push-from target"
# shellcheck disable=SC2086
[ "$(hash_of $run $elastic --server on)" = "$(hash_of $run $elastic)" ] || fail "dppf with a server is not dppf without"
# A push that never starts, and one that does in the first round.
# shellcheck disable=SC2086
[ "$(hash_of $run --method dppf --push-start 1000)" = "$(hash_of $run --method dppf --push 0)" ] ||
  fail "dppf whose push starts after the run is not dppf with push 0"

# An average in time is looked at, not trained with.
# shellcheck disable=SC2086
base=$(hash_of $run --method local_sgd --period 4)
for method in swa ema; do
  # shellcheck disable=SC2086
  [ "$(hash_of $run --method $method --period 4)" = "$base" ] || fail "$method trains otherwise than local_sgd"
done

# Measuring what compression loses changes nothing else, and is told only where it was asked for.
for method in choco_sgd deep_squeeze comp_q_saddle comp_n_saddle; do
  log=$scratch/$method.jsonl
  # shellcheck disable=SC2086
  measured=$(hash_of $run --method $method --compress qsgd:3:64 --measure-compression on --log "$log")
  [ -n "$(value compression_error "$scratch/hash.out")" ] || fail "$method: the summary tells no compression error"
  [ "$(grep -c '"compression_error": 0\.[0-9]*, "compression_error_length": [0-9.]*' "$log")" -eq 2 ] ||
    fail "$method: the log tells no compression error: $(cat "$log")"
  # Of the gradients that go back: the scaled sign of a gradient loses some of it, and not all.
  [ $method != comp_n_saddle ] || [ "$(grep -c '"compression_error_cross": 0\.[0-9]' "$log")" -eq 2 ] ||
    fail "$method: the log tells no compression error of gradients: $(cat "$log")"
  bytes=$(value bytes_sent_per_worker "$scratch/hash.out")
  # shellcheck disable=SC2086
  [ "$(hash_of $run --method $method --compress qsgd:3:64)" = "$measured" ] || fail "$method: another hash when measured"
  [ "$(value bytes_sent_per_worker "$scratch/hash.out")" = "$bytes" ] || fail "$method: other bytes when measured"
  ! grep -q compression_error "$scratch/hash.out" || fail "$method: a compression error that was not asked for"
done

# Errors under MPI end all ranks.
if has_mpi; then
  status=0
  # shellcheck disable=SC2086
  mpirun -n 2 "$POLDER_TRAIN" $digits --communicator mpi --epochs 20 --lr 1e30 >"$scratch/out" 2>"$scratch/err" || status=$?
  [ "$status" -eq 1 ] || fail "a failed run over MPI ends with status $status"
  grep -q 'polder-train: worker [01], step' "$scratch/err" || fail "a failed run over MPI says: $(cat "$scratch/err")"
  status=0
  # shellcheck disable=SC2086
  mpirun -n 2 "$POLDER_TRAIN" $digits --communicator mpi --workers 3 >"$scratch/out" 2>"$scratch/err" || status=$?
  [ "$status" -eq 2 ] || fail "3 workers on 2 ranks end with status $status"
  grep -q -e '--workers 3: mpirun started 2 ranks' "$scratch/err" || fail "3 workers on 2 ranks: $(cat "$scratch/err")"
else
  echo "skipped: polder-train over MPI (no mpirun, or built without MPI)"
fi
finish
