#!/bin/sh
# Measures the claims about DPPF and writes docs/results/dppf.md: builds what is needed, does the runs that
# docs/results/dppf.jsonl does not hold yet, and writes the document and its pictures from these lines. Killed at any
# moment, it goes on after the last finished run. The document tells how many hours the runs took.
#   sh bench/claims/dppf.sh [--reduced] [--report-only] [--data DIR] [--part widths|methods]
# --reduced: some widths; one seed, 4 workers, a period of 16 and the plain average as pull, into build/claims.
# --part: only the valley widths, or only the comparison of methods.
# --data: a folder with Fashion-MNIST; without it, where Debian's package dataset-fashion-mnist puts it.
cd "$(dirname "$0")/../.." || exit 1
claim=dppf
. bench/claims/claims.sh
