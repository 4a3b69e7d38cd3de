#!/bin/sh
# Killed with kill -9 at any step, most often while a checkpoint is written, and resumed: the run ends with the hash of an
# undisturbed one. The steps come from a seed that is printed; POLDER_KILL_SEED repeats them. The test waits for steps, not
# for seconds, so that it kills on a slow machine as on a fast one.
. tests/cli/support.sh

seed=${POLDER_KILL_SEED:-$$}
echo "POLDER_KILL_SEED=$seed"
# uniform N LOW HIGH: the N-th draw.
uniform() { awk -v seed="$((seed + 7919 * $1))" -v low="$2" -v high="$3" 'BEGIN { srand(seed); srand(int(rand() * 1e9)); print low + (high - low) * rand() }'; }
# children PID: the processes that it has started.
children() { cat /proc/[0-9]*/stat 2>/dev/null | sed -n "s/^\([0-9]*\) (.*) [A-Z] $1 .*/\1/p"; }
# checkpointed FOLDER: the step of the newest checkpoint, 0 where there is none.
checkpointed() { if [ -f "$1/manifest.json" ]; then sed 's/.*[[ ]\([0-9]*\)\]}/\1/' "$1/manifest.json"; else echo 0; fi; }
# wait_for_step PID FOLDER STEP: until the run's checkpoints are that far, or it has ended.
wait_for_step() { while kill -0 "$1" 2>/dev/null && [ "$(checkpointed "$2")" -lt "$3" ]; do sleep 0.002; done; }

run="$digits --workers 4 --epochs 12 --batch 10 --eval-every 4"
for method in qgm dppf comp_q_saddle comp_n_saddle power_sgd lsgd; do
  # shellcheck disable=SC2086
  whole=$(hash_of $run --method $method)
  for communicator in in_process mpi; do
    start=""
    attempts="1 2 3 4 5 6"
    if [ $communicator = mpi ]; then
      # mpirun takes its time to start and to end; that every method gives the same bits over MPI is hash_test's business.
      [ $method = qgm ] || [ $method = dppf ] || continue
      attempts="1 2 3"
      has_mpi || { echo "skipped: resuming over MPI (no mpirun, or built without MPI)"; continue; }
      start="mpirun -n 4"
    fi
    folder=$scratch/$method-$communicator
    mkdir "$folder"
    arguments="$run --method $method --communicator $communicator --checkpoint $folder --resume $folder
      --checkpoint-every 1 --log $folder.jsonl"
    kills=0
    for attempt in $attempts; do
      # Past the step that the last kill left, up to 40 steps further each time: six of them stay below the 300 of a run.
      target=$(uniform "$attempt" "$(checkpointed "$folder")" "$((40 * attempt))" | sed 's/\..*//')
      # shellcheck disable=SC2086
      $start "$POLDER_TRAIN" $arguments >"$scratch/killed.out" 2>"$scratch/killed.err" &
      pid=$!
      wait_for_step $pid "$folder" "$((target + 1))"
      sleep "$(uniform $((attempt + 6)) 0 0.02)"
      victim=$pid
      [ $communicator = in_process ] || victim=$(children $pid | head -n 1)
      # mpirun ends the other ranks.
      [ -z "$victim" ] || kill -9 "$victim" 2>/dev/null || true
      if wait $pid 2>/dev/null; then break; fi
      kills=$((kills + 1))
      if grep -q 'cannot be used' "$scratch/killed.err"; then fail "$(cat "$scratch/killed.err")"; fi
    done
    [ $kills -gt 0 ] || fail "$method, $communicator: every run ended before it was killed"
    [ ! -f "$folder/manifest.json" ] ||
      echo "$method, $communicator: killed $kills times, now at $(sed 's/.*"steps": \(.*\)}/\1/' "$folder/manifest.json")"
    # shellcheck disable=SC2086
    $start "$POLDER_TRAIN" $arguments >"$scratch/resumed.out" 2>"$scratch/resumed.err" ||
      fail "$method, $communicator: the last resume fails: $(cat "$scratch/resumed.err")"
    [ "$(value param_hash "$scratch/resumed.out")" = "$whole" ] || fail "$method, $communicator: another hash after $kills kills"
    [ "$(value accuracy_mean_model "$scratch/resumed.out")" = "$(value accuracy_mean_model "$scratch/hash.out")" ] ||
      fail "$method, $communicator: another accuracy after $kills kills"
    [ "$(value bytes_sent_per_worker "$scratch/resumed.out")" = "$(value bytes_sent_per_worker "$scratch/hash.out")" ] ||
      fail "$method, $communicator: other bytes after $kills kills"
    [ "$(wc -l <"$folder.jsonl")" -eq 3 ] || fail "$method, $communicator: the log has $(wc -l <"$folder.jsonl") lines"
  done
done

# A damaged checkpoint: the one before is taken, in one sentence.
folder=$scratch/qgm-in_process
newest=$(ls -d "$folder"/step-* | sort -t- -k4 -n | tail -n 1)
printf 'x' | dd of="$newest/worker-2.safetensors" bs=1 seek=2000 conv=notrunc 2>/dev/null
# shellcheck disable=SC2086
"$POLDER_TRAIN" $run --method qgm --resume "$folder" >"$scratch/out" 2>"$scratch/err" || fail "damaged: $(cat "$scratch/err")"
grep -q 'cannot be used: .*worker-2.*damaged' "$scratch/err" || fail "a damaged checkpoint: $(cat "$scratch/err")"
# shellcheck disable=SC2086
[ "$(value param_hash "$scratch/out")" = "$(hash_of $run --method qgm)" ] || fail "another hash after a damaged checkpoint"

# Another configuration, and a folder without a checkpoint.
status=0
# shellcheck disable=SC2086
"$POLDER_TRAIN" $run --method qgm --lr 0.01 --resume "$folder" >"$scratch/out" 2>"$scratch/err" || status=$?
[ $status -eq 2 ] || fail "resuming with another learning rate ends with status $status"
grep -q -e '--lr was 0.05 and is 0.01' "$scratch/err" || fail "another learning rate: $(cat "$scratch/err")"
mkdir "$scratch/empty"
status=0
# shellcheck disable=SC2086
"$POLDER_TRAIN" $run --resume "$scratch/empty" >"$scratch/out" 2>"$scratch/err" || status=$?
[ $status -eq 2 ] || fail "resuming from an empty folder ends with status $status"
grep -q 'there is no checkpoint in' "$scratch/err" || fail "an empty folder: $(cat "$scratch/err")"
# One folder with two names is one folder, both at the first start and when there is something to resume.
ln -s "$scratch" "$scratch/link"
for name in "$scratch/./twice" "$scratch/twice/" "$scratch/link/twice" "$scratch/empty/../twice"; do
  rm -rf "$scratch/twice"
  for start in first second; do
    # shellcheck disable=SC2086
    "$POLDER_TRAIN" $run --checkpoint "$scratch/twice" --resume "$name" >"$scratch/out" 2>"$scratch/err" ||
      fail "the $start start with --resume $name: $(cat "$scratch/err")"
  done
  grep -q 'going on after step' "$scratch/err" || fail "--resume $name starts anew: $(cat "$scratch/err")"
done

# An edited graph is another run.
printf '0 1\n1 2\n2 3\n3 0\n' >"$scratch/graph"
# shellcheck disable=SC2086
"$POLDER_TRAIN" $run --topology "edges:$scratch/graph" --checkpoint "$scratch/edges" >"$scratch/out" 2>"$scratch/err" ||
  fail "a graph from a file: $(cat "$scratch/err")"
printf '# the same\n3 2\n0 3\n1 0\n1 2\n' >"$scratch/graph"
# shellcheck disable=SC2086
"$POLDER_TRAIN" $run --topology "edges:$scratch/graph" --resume "$scratch/edges" >"$scratch/out" 2>"$scratch/err" ||
  fail "the same edges in another order: $(cat "$scratch/err")"
printf '0 1\n1 2\n2 3\n' >"$scratch/graph"
status=0
# shellcheck disable=SC2086
"$POLDER_TRAIN" $run --topology "edges:$scratch/graph" --resume "$scratch/edges" >"$scratch/out" 2>"$scratch/err" || status=$?
[ $status -eq 2 ] || fail "resuming with an edited graph ends with status $status"
grep -q 'edges of the graph was .* and is' "$scratch/err" || fail "an edited graph: $(cat "$scratch/err")"

# A new run does not write over an old one's checkpoints.
status=0
# shellcheck disable=SC2086
"$POLDER_TRAIN" $run --checkpoint "$folder" >"$scratch/out" 2>"$scratch/err" || status=$?
[ $status -eq 2 ] || fail "a new run in an old folder ends with status $status"
finish
