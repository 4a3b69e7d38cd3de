#!/bin/sh
# Measures the claims about the SADDLe methods and writes docs/results/saddle.md: builds what is needed, does the runs that
# docs/results/saddle.jsonl does not hold yet, and writes the document and its pictures from these lines. Killed at any
# moment, it goes on after the last finished run. The document tells how many hours the runs took.
#   sh bench/claims/saddle.sh [--reduced] [--report-only] [--data DIR] [--part quasi_global|cross_gradients]
# --reduced: one seed, one alpha and one codec with the values that the full set was tuned to, into build/claims.
# --data: a folder with Fashion-MNIST; without it, where Debian's package dataset-fashion-mnist puts it.
cd "$(dirname "$0")/../.." || exit 1
claim=saddle
. bench/claims/claims.sh
