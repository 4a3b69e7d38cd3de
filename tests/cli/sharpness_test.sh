#!/bin/sh
# polder-sharpness: what it prints, that its numbers agree with those of the training and with each other, and what it
# refuses.
. tests/cli/support.sh
: "${POLDER_SHARPNESS:?the path of polder-sharpness}"

limits="--train-limit 1000 --test-limit 200"
# measures ARGUMENT...: must succeed; the output goes to $scratch/out.
measures() {
  # shellcheck disable=SC2086
  "$POLDER_SHARPNESS" $limits "$@" >"$scratch/out" 2>"$scratch/err" || fail "'$*' fails: $(cat "$scratch/err")"
}
# number KEY: of the first model in the last line of $scratch/out.
number() { tail -n 1 "$scratch/out" | grep -o "\"$1\": -\{0,1\}[0-9][^,}]*" | head -n 1 | sed 's/.*: //'; }
# near WHAT A B TOLERANCE: |a - b| is at most the tolerance; no number is near to nothing.
near() {
  awk -v a="$2" -v b="$3" -v t="$4" 'BEGIN { exit !(a != "" && b != "" && a - b <= t + 0 && b - a <= t + 0) }' ||
    fail "$1: '$2' is not '$3' within $4"
}
# refused STATUS PATTERN ARGUMENT...: that status, nothing on stdout, one line on stderr.
refused() {
  expected=$1
  pattern=$2
  shift 2
  status=0
  timeout 60 "$POLDER_SHARPNESS" "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
  [ "$status" -eq "$expected" ] || fail "'$*' ends with status $status"
  [ ! -s "$scratch/out" ] || fail "'$*' writes to stdout"
  [ "$(wc -l <"$scratch/err")" -eq 1 ] || fail "'$*' says more or less than one line: $(cat "$scratch/err")"
  grep -q -e "$pattern" "$scratch/err" || fail "'$*' says: $(cat "$scratch/err")"
}

# A run whose workers stay apart.
model=$scratch/model.safetensors
run=$scratch/run
# shellcheck disable=SC2086
"$POLDER_TRAIN" $digits --method dppf --push 0.1 --pull 0.5 --partition iid --workers 4 --epochs 6 --lr 0.1 --batch 10 \
  --seed 3 --export "$model" --checkpoint "$run" --log "$scratch/log" >"$scratch/trained" 2>&1 || fail "training: $(cat "$scratch/trained")"

# The mean of a checkpoint's workers: all measures.
measures "$run" --json "$scratch/run.jsonl" --landscape "$scratch/plane.svg" --spectrum "$scratch/spectrum.svg" --points 5
cp "$scratch/out" "$scratch/run.out"
[ ! -s "$scratch/err" ] || fail "without a terminal it writes to stderr: $(cat "$scratch/err")"
for name in loss accuracy test_loss test_accuracy lambda_max trace frobenius_norm hutch_plus_plus epsilon_sharpness low_pass \
  local_entropy pac_bayes fisher_rao hessian_form shannon_entropy mean_valley inverse_mean_valley reciprocal_mean_valley \
  valley_width barrier; do
  grep -q "^$name  *-\{0,1\}[0-9]" "$scratch/out" || fail "the table lacks $name"
  [ -n "$(number $name)" ] || fail "the JSON lacks $name"
done
for name in lambda_max trace frobenius_norm hutch_plus_plus epsilon_sharpness low_pass local_entropy pac_bayes; do
  [ -n "$(number ${name}_filters)" ] || fail "the JSON lacks ${name}_filters"
done
for name in lambda_max trace frobenius_norm hutch_plus_plus low_pass local_entropy; do
  grep -q "^$name .* ± .* ± " "$scratch/out" || fail "the table shows no errors: $(grep $name "$scratch/out")"
done
for name in frobenius_norm_error local_entropy_error local_entropy_error_filters; do
  awk -v e="$(number $name)" 'BEGIN { exit !(e > 0) }' || fail "$name is '$(number $name)'"
done
grep -q "^$run: mean of all workers\$" "$scratch/out" || fail "the table does not say what it is of: $(head -n 1 "$scratch/out")"
grep -q '"measured_model": "mean of all workers"' "$scratch/out" || fail "the JSON does not say what it is of"
grep -q 'Loss through workers 0 and 1 and the mean of run' "$scratch/plane.svg" || fail "the landscape goes through others"
grep -q '"skipped": {}' "$scratch/out" || fail "a checkpoint leaves out: $(grep -o '"skipped.*' "$scratch/out")"
[ "$(wc -l <"$scratch/run.jsonl")" -eq 1 ] || fail "--json has $(wc -l <"$scratch/run.jsonl") lines for one model"
[ "$(tail -n 1 "$scratch/out")" = "{\"models\": [$(cat "$scratch/run.jsonl")]}" ] || fail "--json says something else"
for picture in plane spectrum; do grep -q '</svg>' "$scratch/$picture.svg" || fail "--$picture draws nothing"; done
[ "$(wc -l <"$scratch/plane.csv")" -eq 26 ] || fail "the landscape has $(wc -l <"$scratch/plane.csv") lines, not 26"
# 80 steps from each of 5 vectors; the weights are a distribution.
near "weights of the spectrum" "$(awk -F, 'NR > 1 { s += $3 } END { print s }' "$scratch/spectrum.csv")" 1 1e-6
[ "$(wc -l <"$scratch/spectrum.csv")" -eq 401 ] || fail "the spectrum has $(wc -l <"$scratch/spectrum.csv") lines, not 401"

# What the training found in other ways.
near "accuracy on the test set" "$(number test_accuracy)" "$(value accuracy_mean_model "$scratch/trained")" 1e-9
near "loss on the test set" "$(number test_loss)" "$(value loss "$scratch/trained")" 1e-5
# The summary's width is that right after the last round, the log's that of the end.
width=$(value valley_width "$scratch/log")
near "valley width" "$(number valley_width)" "$width" "$(awk -v w="$width" 'BEGIN { print 1e-4 * w }')"
awk -v w="$width" 'BEGIN { exit !(w > 0.01) }' || fail "the workers agree ($width): nothing is told of their valley"
near "inverse of the mean valley" "$(number inverse_mean_valley)" "-$(number mean_valley)" 0
near "one over the mean valley" "$(awk -v a="$(number mean_valley)" -v b="$(number reciprocal_mean_valley)" 'BEGIN { print a * b }')" 1 1e-5
[ "$(tail -n 1 "$scratch/out" | grep -o '"distance"' | wc -l)" -eq 4 ] || fail "there are not four boundaries"

# To second order E L(x + sigma z) = L(x) + sigma^2 / 2 trace H: losses and Hessian products know of each other. So does
# the spectrum, whose mean is trace / n: n = 64 * 16 + 16 + 16 * 10 + 10 = 1210.
for suffix in "" _filters; do
  tolerance=$(awk -v l="$(number low_pass_error$suffix)" -v t="$(number trace_error$suffix)" \
    'BEGIN { print 4 * (l + 0.5e-4 * t) }')
  near "low_pass$suffix" "$(number low_pass$suffix)" \
    "$(awk -v l="$(number loss)" -v t="$(number trace$suffix)" 'BEGIN { print l + 0.5e-4 * t }')" "$tolerance"
  awk -v t="$(number trace$suffix)" -v e="$tolerance" 'BEGIN { exit !(0.5e-4 * t > e) }' || fail "trace$suffix: nothing is tested"
  near "hutch_plus_plus$suffix" "$(number hutch_plus_plus$suffix)" "$(number trace$suffix)" \
    "$(awk -v a="$(number trace_error$suffix)" -v b="$(number hutch_plus_plus_error$suffix)" 'BEGIN { print 4 * (a + b) }')"
done
trace=$(number trace)
near "mean of the spectrum" "$(awk -F, 'NR > 1 { s += $2 * $3 } END { print 1210 * s }' "$scratch/spectrum.csv")" "$trace" \
  "$(awk -v t="$trace" 'BEGIN { print 0.3 * t }')"
near "greatest of the spectrum" "$(awk -F, 'NR > 1 && $2 > m { m = $2 } END { print m }' "$scratch/spectrum.csv")" \
  "$(number lambda_max)" "$(awk -v l="$(number lambda_max)" 'BEGIN { print 1e-3 * l }')"

# The same bits with any number of threads, but for the time; nearly the same where products keep nothing.
lambda=$(number lambda_max)
relative=$(awk -v l="$lambda" 'BEGIN { print 2e-3 * l }')
some="--measures loss,eigenvalues,trace,epsilon_sharpness,mean_valley"
for threads in 1 3; do
  measures "$run" $some --threads $threads
  sed 's/"seconds": .*//' "$scratch/out" >"$scratch/threads-$threads"
done
cmp -s "$scratch/threads-1" "$scratch/threads-3" || fail "the numbers depend on the threads"
# The directions of 100 products, 968000 bytes, and nothing beside them; without them as well where they are not needed.
measures "$run" $some --memory 0.00091
near "lambda_max without memory" "$(number lambda_max)" "$lambda" "$relative"
measures "$run" --measures trace --memory 0
near "trace without memory" "$(number trace)" "$trace" "$(awk -v t="$trace" 'BEGIN { print 1e-3 * t }')"
refused 2 '--memory 0.0009: eigenvalues of mlp:16 keeps 100 vectors of 1210 doubles, 0.00090152 GiB; allowed: as much' \
  "$run" --memory 0.0009

# The exported mean is the mean of the checkpoint; its seed says where the run began; it has no workers.
pac_bayes=$(sed -n 's/^pac_bayes  *\([^ ]*\).*/\1/p' "$scratch/run.out")
measures "$model" --landscape "$scratch/random.svg" --points 3
near "lambda_max of the exported mean" "$(number lambda_max)" "$lambda" "$relative"
near "pac_bayes of the exported mean" "$(number pac_bayes)" "$pac_bayes" "$(awk -v p="$pac_bayes" 'BEGIN { print 0.01 * p }')"
[ -z "$(number mean_valley)" ] || fail "one model has a mean valley of $(number mean_valley)"
grep -q '^mean_valley: not measured: one model spans no valley' "$scratch/out" || fail "no word about the mean valley"
near "middle of the random plane" "$(sed -n 's/^0,0,//p' "$scratch/random.csv")" "$(number loss)" 1e-6
before=$(number pac_bayes)
measures "$model" --measures pac_bayes --initial-seed 4 --normalize none
[ "$(number pac_bayes)" != "$before" ] || fail "--initial-seed changes nothing"
[ -z "$(number pac_bayes_filters)" ] || fail "--normalize none measures relative to filters"
measures "$model" --measures eigenvalues --normalize filters --top 3
grep -q '^lambda_3 ' "$scratch/out" || fail "--top 3 shows no third eigenvalue"
[ -z "$(number lambda_max)" ] || fail "--normalize filters measures without"
[ -z "$(number loss)" ] || fail "--measures eigenvalues measures the loss"

# Several models: a row each; together they are one run.
measures "$model" "$model" "$run" --measures loss,eigenvalues --json "$scratch/three.jsonl"
[ "$(grep -c "^$model  " "$scratch/out")" -ge 2 ] || fail "no row for each model: $(cat "$scratch/out")"
[ "$(wc -l <"$scratch/three.jsonl")" -eq 3 ] || fail "--json has $(wc -l <"$scratch/three.jsonl") lines for three models"
# shellcheck disable=SC2086
"$POLDER_TRAIN" $digits --method d_psgd --workers 2 --epochs 2 --seed 3 --export "$scratch/other.safetensors" >"$scratch/trained" 2>&1 ||
  fail "another run: $(cat "$scratch/trained")"
measures --together "$model" "$scratch/other.safetensors" --measures mean_valley
[ "$(number workers)" -eq 2 ] || fail "--together measures $(number workers) workers"
[ -n "$(number mean_valley)" ] || fail "--together has no mean valley: $(cat "$scratch/out")"

# Two models that began apart: on the line between them the loss rises at least as far as in its middle, their mean.
# shellcheck disable=SC2086
"$POLDER_TRAIN" $digits --method d_psgd --workers 2 --epochs 6 --lr 0.1 --batch 10 --seed 9 \
  --export "$scratch/apart.safetensors" >"$scratch/trained" 2>&1 || fail "a run that began apart: $(cat "$scratch/trained")"
measures --together "$model" "$scratch/apart.safetensors" --measures loss,barrier
middle=$(number loss)
barrier=$(number barrier)
measures "$model" "$scratch/apart.safetensors" --measures loss --json "$scratch/ends.jsonl"
ends=$(sed 's/.*"loss": \([^,]*\).*/\1/' "$scratch/ends.jsonl" | tr '\n' ' ')
awk -v m="$middle" -v b="$barrier" -v e="$ends" \
  'BEGIN { split(e, l, " "); h = m - (l[1] + l[2]) / 2; exit !(l[2] != "" && h > 0.01 && b >= h - 1e-5) }' ||
  fail "a barrier of '$barrier' between '$ends' with '$middle' in the middle"
measures --together "$model" "$model" --measures barrier
near "barrier between equal models" "$(number barrier)" 0 1e-6
# It is the same from the other end, and other workers have another.
for plane in 0,1,mean 1,0,mean 2,0,1 random; do
  measures --together "$model" "$scratch/apart.safetensors" "$scratch/other.safetensors" --measures barrier --plane $plane
  number barrier >>"$scratch/barriers"
done
near "barrier between the first two of three" "$(sed -n 1p "$scratch/barriers")" "$barrier" 0
near "barrier from 1 to 0" "$(sed -n 2p "$scratch/barriers")" "$barrier" 1e-5
[ "$(sed -n 3p "$scratch/barriers")" != "$barrier" ] || fail "from 2 to 0 there is the barrier between 0 and 1"
near "barrier beside a random plane, from 0 to 1" "$(sed -n 4p "$scratch/barriers")" "$barrier" 0

# Files of one run know the same images; what the user names need not be in them.
"$POLDER_TRAIN" --dataset digits --data examples/data --model mlp:16 --train-limit 500 --test-limit 200 --method d_psgd \
  --workers 2 --epochs 1 --seed 3 --export "$scratch/half.safetensors" >"$scratch/trained" 2>&1 || fail "half: $(cat "$scratch/trained")"
measures --together "$model" "$scratch/half.safetensors" --measures loss
grep -q "'$scratch/half.safetensors' was trained on other images than '$model'" "$scratch/err" || fail "other images: $(cat "$scratch/err")"
measures --together "$model" "$scratch/other.safetensors" --measures loss
[ ! -s "$scratch/err" ] || fail "files of the same images: $(cat "$scratch/err")"

# Equal models span no valley: the other measures are taken all the same.
measures --together "$model" "$model" --measures mean_valley,loss
grep -q '^mean_valley: not measured: mean_valley: all 2 models are equal' "$scratch/out" || fail "equal models: $(cat "$scratch/out")"
[ -n "$(number loss)" ] || fail "equal models cost the loss"

# Other images than in the run are pointed out.
"$POLDER_SHARPNESS" "$run" --train-limit 500 --measures loss >"$scratch/out" 2>"$scratch/err" || fail "other images: $(cat "$scratch/err")"
grep -q 'trained on other images than the 500 of digits' "$scratch/err" || fail "other images: $(cat "$scratch/err")"

# What a run evaluates is measured: the elastic center, or the average in time. Its export is that model.
for method in easgd swa; do
  # shellcheck disable=SC2086
  "$POLDER_TRAIN" $digits --method $method --workers 3 --epochs 4 --lr 0.1 --batch 10 --seed 3 --partition iid \
    --export "$scratch/$method.safetensors" --checkpoint "$scratch/$method" >"$scratch/trained" 2>&1 || fail "$method: $(cat "$scratch/trained")"
  measures "$scratch/$method" --measures loss,mean_valley
  center=$(number test_loss)
  near "test loss of $method" "$center" "$(value loss "$scratch/trained")" 1e-5
  grep -q "$(value evaluated_model "$scratch/trained")" "$scratch/out" || fail "$method measures: $(head -n 1 "$scratch/out")"
  measures "$scratch/$method.safetensors" --measures loss
  near "test loss of the export of $method" "$(number test_loss)" "$center" 1e-6
  measures "$scratch/$method" --measures loss --of mean
  grep -q '"measured_model": "mean of all workers"' "$scratch/out" || fail "--of mean measures: $(head -n 1 "$scratch/out")"
  awk -v a="$(number test_loss)" -v b="$center" 'BEGIN { exit !(a != "" && (a - b > 1e-5 || b - a > 1e-5)) }' ||
    fail "$method: --of mean measures the same, $center"
done
measures "$scratch/easgd" "$model" --measures loss
grep -q "^$scratch/easgd (elastic center)  " "$scratch/out" || fail "the row does not say elastic center: $(cat "$scratch/out")"

# Other planes through a run.
for plane in 0,1,mean 1,0,mean 0,2,3 mean,2,3 random; do
  measures "$run" --measures loss --landscape "$scratch/of-$plane.svg" --points 3 --plane $plane
done
cmp -s "$scratch/of-0,1,mean.csv" "$scratch/of-0,2,3.csv" && fail "--plane 0,2,3 is the plane of 0,1,mean"
grep -q 'Loss through workers 0, 2 and 3 of run' "$scratch/of-0,2,3.svg" || fail "--plane 0,2,3 draws another"
grep -q 'mean (beside the plane)' "$scratch/of-0,2,3.svg" || fail "--plane 0,2,3 does not tell where the mean is"
grep -q 'Loss through workers 2 and 3 and the mean of run' "$scratch/of-mean,2,3.svg" || fail "--plane mean,2,3 draws another"
grep -q 'random directions' "$scratch/of-random.svg" || fail "--plane random draws another"
refused 2 "--plane: '$run' has no worker 4; allowed: numbers below 4, and mean" "$run" --plane 0,4,mean
refused 2 '--plane: the mean of two workers lies between them' \
  --together "$model" "$scratch/other.safetensors" --plane 0,1,mean --landscape "$scratch/x.svg"
for plane in 0,1 0,0,mean 0,mean,mean 0,1,2,3 0,1,mean, middle -1,0,1; do
  refused 2 '--plane.*: allowed: three different ones' "$run" --plane=$plane
done
refused 2 '--plane 0,1,mean: needs --landscape' "$run" --plane 0,1,mean --measures loss

# No output may take another's place, or a model's; the .csv beside a picture is one of them.
mkdir "$scratch/taken" "$scratch/taken/plane.csv"
cp "$model" "$scratch/taken/model.svg"
cp "$model" "$scratch/taken/model.csv"
for part in train test; do gunzip -c examples/data/optdigits-$part.csv.gz >"$scratch/taken/optdigits-$part.csv"; done
ln -s ../run "$scratch/taken/link"
measures "$run" --measures loss
part=$run/step-$(number step)/worker-1.safetensors
before=$(cd "$scratch" && find run taken -type f -exec cksum {} + | sort)
refused 2 '--landscape: would write .*, which --spectrum writes' "$run" --spectrum "$scratch/x.svg" --landscape "$scratch/./x.svg"
refused 2 '--spectrum: would write .*x.csv, which --json writes' "$run" --json "$scratch/x.csv" --spectrum "$scratch/x.svg"
refused 2 '--json: would replace .*, which is read; allowed: another file' "$model" --json "$model"
refused 2 '--spectrum: would replace .*model.svg, which is read' "$scratch/taken/model.svg" --spectrum "$scratch/taken/model.svg"
refused 2 '--landscape: would replace .*model.csv, which is read' "$scratch/taken/model.csv" --landscape "$scratch/taken/model.svg"
refused 2 '--json: would replace .*manifest.json, which is read' "$run" --json "$scratch/taken/link/manifest.json"
refused 2 '--json: would replace .*worker-1.safetensors, which is read' "$run" --json "$part"
refused 2 '--spectrum: would replace .*optdigits-train.csv, which is read' "$model" --data "$scratch/taken" \
  --spectrum "$scratch/taken/optdigits-train.svg"
refused 2 '--landscape .*plane.csv: allowed: a file in a folder' "$model" --landscape "$scratch/taken/plane.svg"
[ "$(cd "$scratch" && find run taken -type f -exec cksum {} + | sort)" = "$before" ] || fail "a refused output has changed a file"

# What cannot be printed is said, and the file has it all the same.
if [ -w /dev/full ]; then
  status=0
  "$POLDER_SHARPNESS" "$model" --measures loss --json "$scratch/kept.jsonl" >/dev/full 2>"$scratch/err" || status=$?
  [ "$status" -eq 1 ] || fail "with a full stdout it ends with status $status"
  grep -q 'the measures are taken, but: cannot write the numbers to stdout: No space' "$scratch/err" || fail "a full stdout: $(cat "$scratch/err")"
  [ "$(wc -l <"$scratch/kept.jsonl")" -eq 1 ] || fail "a full stdout costs the file"
fi

# An older checkpoint, and a damaged newest one.
measures "$run" --measures loss
newest=$(number step)
older=$(ls "$run" | sed -n 's/^step-//p' | grep -vx "$newest")
measures "$run" --measures loss --step "$older"
[ "$(number step)" -eq "$older" ] || fail "--step $older measures step $(number step)"
refused 2 "--step 7: '$run' has no such checkpoint; allowed: $older, $newest" "$run" --step 7
cp -r "$run" "$scratch/damaged"
printf 'x' | dd of="$scratch/damaged/step-$newest/worker-2.safetensors" bs=1 seek=2000 conv=notrunc 2>/dev/null
measures "$scratch/damaged" --measures loss
[ "$(number step)" -eq "$older" ] || fail "in place of a damaged checkpoint it measures step $(number step)"
grep -q "step $newest cannot be used: .*worker-2.*damaged" "$scratch/err" || fail "a damaged checkpoint: $(cat "$scratch/err")"
refused 1 'worker-2.*damaged' "$scratch/damaged" --step "$newest"
rm "$scratch/damaged/step-$older/worker-0.safetensors" "$scratch/damaged/step-$newest/worker-2.safetensors"
status=0
"$POLDER_SHARPNESS" "$scratch/damaged" >"$scratch/out" 2>"$scratch/err" || status=$?
[ "$status" -eq 1 ] || fail "a folder without a whole checkpoint ends with status $status"
grep -q "no checkpoint in '$scratch/damaged' can be used: .*worker-0" "$scratch/err" || fail "no checkpoint: $(cat "$scratch/err")"

# Damaged files.
head -c 3000 "$model" >"$scratch/short.safetensors"
refused 1 'short.safetensors.*not a valid safetensors file' "$scratch/short.safetensors"
: >"$scratch/nothing.safetensors"
refused 1 'nothing.safetensors.*not a valid safetensors file' "$scratch/nothing.safetensors"
echo '{"format": "polder checkpoint 1", "workers"' >"$scratch/damaged/manifest.json"
refused 1 'manifest.json' "$scratch/damaged"
echo '{"format": "polder checkpoint 1", "workers": 4, "configuration": {}, "steps": []}' >"$scratch/damaged/manifest.json"
refused 1 'manifest.json.*damaged: it lists no checkpoint' "$scratch/damaged"
refused 1 "one worker's part of a checkpoint: give the folder" "$run/step-$newest/worker-1.safetensors"

# Files of other programs, which do not say what they hold: tensors named by the header, of zeros.
# tensors FILE NAME TYPE BYTES SHAPE...
tensors() {
  file=$1
  shift
  header=""
  at=0
  while [ $# -gt 0 ]; do
    header="$header${header:+,}\"$1\":{\"dtype\":\"$2\",\"shape\":[$4],\"data_offsets\":[$at,$((at + $3))]}"
    at=$((at + $3))
    shift 4
  done
  header="{$header}"
  {
    printf "\\$(printf %03o $((${#header} % 256)))\\$(printf %03o $((${#header} / 256)))\0\0\0\0\0\0"
    printf '%s' "$header"
    head -c "$at" /dev/zero
  } >"$file"
}
own=$scratch/own.safetensors
weights="dense1.weight F32 4096 16,64 dense1.bias F32 64 16"
# shellcheck disable=SC2086
tensors "$own" $weights dense2.weight F32 640 10,16 dense2.bias F32 40 10
refused 2 "--model: '$own' does not say which network it holds" "$own" --dataset digits
measures "$own" --dataset digits --model mlp:16 --measures loss,pac_bayes
# Ten equal scores: log 10.
near "loss of zeros" "$(number loss)" 2.302585 1e-5
grep -q '^pac_bayes: not measured: .*--initial-seed' "$scratch/out" || fail "zeros of unknown origin: $(cat "$scratch/out")"
# Filters of zeros have no length: relative to them nothing moves, so that the loss never rises, however large sigma is.
measures "$own" --dataset digits --model mlp:16 --measures epsilon_sharpness,pac_bayes --initial-seed 1
grep -q '^pac_bayes  *[0-9].*  <= [^ ]* (open)' "$scratch/out" || fail "an open search: $(grep pac_bayes "$scratch/out")"
grep -q '^pac_bayes_sigma  *[0-9].*  >= ' "$scratch/out" || fail "an open search: $(grep pac_bayes "$scratch/out")"
grep -q '^epsilon_sharpness_filters: not measured: .*the gradient is 0' "$scratch/out" || fail "no way uphill: $(cat "$scratch/out")"
grep -q '"skipped": {"epsilon_sharpness_filters": ' "$scratch/out" || fail "skipped: $(grep -o '"skipped.*' "$scratch/out")"
# They are workers as good as any where the user says what they hold.
refused 2 "--together: '$model' holds mlp:16 and '$own' a network without a name; allowed: models of one network, or --model" \
  --together "$model" "$own"
refused 2 "--together: '$model' was trained on digits and '$own' on images without a name; allowed: .* or --dataset" \
  --together "$model" "$own" --model mlp:16
measures --together "$model" "$own" --dataset digits --model mlp:16 --measures mean_valley
[ "$(number workers)" -eq 2 ] || fail "--together with names measures $(number workers) workers"
refused 2 "--model mlp:32: tensor 'dense1.weight' of '$own' is (16, 64), that of mlp:32 on these images (32, 64)" \
  "$own" --dataset digits --model mlp:32
refused 2 "--model mlp:16,8: .*dense2.weight" "$own" --dataset digits --model mlp:16,8
# shellcheck disable=SC2086
tensors "$own" $weights dense2.weight F32 640 10,16
refused 2 "'$own' has no tensor 'dense2.bias', which mlp:16 has" "$own" --dataset digits --model mlp:16
# shellcheck disable=SC2086
tensors "$own" $weights dense2.weight F32 640 10,16 dense2.bias F32 40 10 extra F32 4 1
refused 2 "'$own' has a tensor 'extra', which mlp:16 has not" "$own" --dataset digits --model mlp:16
# shellcheck disable=SC2086
tensors "$own" dense2.weight F64 1280 10,16 $weights dense2.bias F32 40 10
refused 1 "tensor 'dense2.weight' of '$own' holds F64 numbers: write them as F32" "$own" --dataset digits --model mlp:16

# Wrong use.
refused 2 '--model mlp:32: .*dense1.weight' "$model" --model mlp:32
refused 2 'MODEL /nonexistent: there is no such file or folder; allowed: ' /nonexistent
refused 2 "MODEL $scratch: there is no manifest.json in it; allowed: " "$scratch"
refused 2 'MODEL: none is given; allowed: ' --samples 10
refused 2 '--measures flatness: allowed: loss, eigenvalues' "$model" --measures flatness
refused 2 '--measures loss,: allowed' "$model" --measures loss,
refused 2 '--normalize layers: allowed: none, filters, both' "$model" --normalize layers
refused 2 '--samples 0: allowed: a whole number >= 1' "$model" --samples 0
refused 2 '--products 3: allowed: a whole number from 4' "$model" --products 3
refused 2 '--of best: allowed: evaluated, mean' "$model" --of best
refused 2 '--top 0: allowed: a whole number from 1 to 100' "$model" --top 0
refused 2 '--sigma 0: allowed: a number > 0' "$model" --sigma 0
refused 2 '--kappa 1: allowed: a number > 1' "$model" --kappa 1
refused 2 '--together: 1 model is given; allowed with two or more' --together "$model"
refused 2 '--together: .* is a folder' --together "$model" "$run"
refused 2 '--step 5: .* is a file; allowed with folders' "$model" --step 5
refused 2 '--landscape .*: allowed with one MODEL, or with --together' "$model" "$run" --landscape "$scratch/x.svg"
refused 2 '--landscape plane.png: allowed: a name that ends with .svg' "$model" --landscape plane.png
refused 2 '--spectrum /nonexistent/x.svg: allowed: a file in a folder that is there' "$model" --spectrum /nonexistent/x.svg
refused 2 '--points 9: needs --landscape' "$model" --points 9
refused 2 '--dataset user: needs --data DIR' "$model" --dataset user
refused 2 "--data $scratch: allowed: a folder with optdigits-train.csv" "$model" --data "$scratch"
refused 2 "unknown argument '--models'" "$model" --models x

"$POLDER_SHARPNESS" --help >"$scratch/out" || fail "--help fails"
for option in MODEL --together --step --of --model --initial-seed --dataset --data --train-limit --test-limit --samples \
  --label-smoothing --measures --normalize --top --products --draws --tolerance --epsilon --sigma --gamma --rise --kappa \
  --valley-rise --seed --threads --memory --json --spectrum --landscape --plane --points; do
  grep -q -e "$option" "$scratch/out" || fail "--help does not tell of $option"
done
finish
