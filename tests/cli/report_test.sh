#!/bin/sh
# The folder of --report: other runs in it never cost a run its result, and runs of different labels never meet in one file.
. tests/cli/support.sh

run="$digits --workers 2 --epochs 1 --batch 50 --method d_psgd"
report=$scratch/report
# adds LABEL: a run that must succeed.
adds() {
  # shellcheck disable=SC2086
  "$POLDER_TRAIN" $run --report "$report" --label "$1" >"$scratch/out" 2>"$scratch/err" || fail "$1: $(cat "$scratch/err")"
  [ -n "$(value param_hash "$scratch/out")" ] || fail "$1: the last line is no summary"
}
# row LABEL: how often the table shows the run.
row() { grep -cF -- "$1  " "$report/table.txt" || true; }

# Labels whose letters cannot all stand in a file name; a run of the same label is replaced.
for label in 'lr 0.1' 'lr 0,1' 'lr/0.1' 'lr-0-1' 'ähnlich' 'öhnlich' 'lr 0.1'; do adds "$label"; done
for label in 'lr 0.1' 'lr 0,1' 'lr/0.1' 'lr-0-1' 'ähnlich' 'öhnlich'; do
  [ "$(row "$label")" -eq 1 ] || fail "the table shows '$label' $(row "$label") times: $(cat "$report/table.txt")"
done
[ -f "$report/runs/lr-0-1.json" ] || fail "a label that can be a file name is not: $(ls "$report/runs")"
adds "$(printf '%0300d' 7)"

# Files that are no runs: left out, each with a sentence that names it, and the run's own row is there.
echo '{"number": 1, "lab' >"$report/runs/half.json"
echo '[]' >"$report/runs/list.json"
cp "$report/runs/lr-0-1.json" "$report/runs/no-curve.json"
sed 's/lr-0-1/point/' "$report/runs/lr-0-1.json" >"$report/runs/bad-point.json"
echo '{"epoch": 1}' >"$report/runs/bad-point.jsonl"
mkdir "$report/runs/folder.json"
adds after
for name in half list no-curve bad-point folder; do
  [ "$(grep -c "$name.json.*left out of the report" "$scratch/err")" -eq 1 ] ||
    fail "$name.json is not named once: $(cat "$scratch/err")"
done
[ "$(row after)" -eq 1 ] || fail "the table lacks the run after bad files: $(cat "$report/table.txt")"
[ "$(row lr-0-1)" -eq 1 ] || fail "the table lacks a good run among bad files: $(cat "$report/table.txt")"
# The file of the run itself, damaged by an earlier one, is replaced.
echo '{' >"$report/runs/after.json"
adds after
[ "$(row after)" -eq 1 ] || fail "the table lacks the run that replaces a damaged file: $(cat "$report/table.txt")"

# What cannot be written after the training: the summary is printed all the same, and the run fails.
rm "$report/report.html"
mkdir "$report/report.html"
status=0
# shellcheck disable=SC2086
"$POLDER_TRAIN" $run --report "$report" >"$scratch/out" 2>"$scratch/err" || status=$?
[ "$status" -eq 1 ] || fail "a run whose report cannot be written ends with status $status"
[ -n "$(value param_hash "$scratch/out")" ] || fail "a report that cannot be written costs the summary"
grep -q "report.html" "$scratch/err" || fail "a report that cannot be written: $(cat "$scratch/err")"
finish
