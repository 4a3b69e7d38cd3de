#!/bin/sh
# Asks whether sharpness measures predict generalization and writes docs/results/sharpness.md: builds what is needed, trains
# and measures the models that docs/results/sharpness.jsonl does not hold yet, and writes the document and its pictures from
# these lines. Killed at any moment, it goes on after the last finished model. The document tells how many hours they took.
#   sh bench/claims/sharpness.sh [--reduced] [--report-only] [--data DIR] [--part mlp|cnn]
# --reduced: fewer models, with fewer draws of the measures that are random, into build/claims.
# --data: a folder with Fashion-MNIST; without it, where Debian's package dataset-fashion-mnist puts it.
cd "$(dirname "$0")/../.." || exit 1
claim=sharpness
. bench/claims/claims.sh
