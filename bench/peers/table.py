"""Writes a Markdown table from the rows of the peers, and of other programs that write such lines.

A row is a JSON object in a line: peer, version, device, mode, model, workers, batch, method, precision, data, and
either `error` or samples_per_second and, where they are known, seconds_per_step, spread, seconds_to_warm,
bytes_per_worker and kernels_per_worker_step.
"""

from __future__ import annotations

import argparse
import json
import operator
from pathlib import Path
from typing import Any

SETTING = ("model", "method", "precision", "workers")
HEAD = (*SETTING, "program", "samples/s", "ms a step", "spread", "kernels a worker's step", "MiB a worker", "s to warm")
WORDS = ("model", "method", "precision", "program")  # the columns that are no numbers


def number(row: dict[str, Any], key: str, form: str, scale: float = 1.0) -> str:
    """A value in that form, or a dash."""
    value = row.get(key)
    return "–" if value is None else format(value * scale, form)


def cells(row: dict[str, Any]) -> list[str]:
    """A line of the table."""
    program = f"{row['peer']} {row['mode']}" if row.get("mode") else row["peer"]
    begin = [*(str(row[key]) for key in SETTING), program]
    if "error" in row:
        return [*begin, "failed: " + row["error"].replace("|", "/")[:100]] + ["–"] * 5
    return [*begin, number(row, "samples_per_second", ",.0f"), number(row, "seconds_per_step", ",.2f", 1e3),
            number(row, "spread", ".0%"), number(row, "kernels_per_worker_step", ",.1f"),
            number(row, "bytes_per_worker", ",.1f", 1 / 2**20), number(row, "seconds_to_warm", ",.1f")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, help="JSON lines")
    rows = []
    for path in parser.parse_args().files:
        try:
            rows += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, ValueError) as error:
            parser.error(f"{path}: {error}")
    for about in sorted({f"{row['peer']} {row['version']} on {row['device']}" for row in rows}):
        print(f"- {about}")
    for what in sorted({f"batch {row['batch']}, images: {row.get('data', 'none')}" for row in rows}):
        print(f"- {what}")
    print()
    print("| " + " | ".join(HEAD) + " |")
    print("| " + " | ".join("---" if head in WORDS else "---:" for head in HEAD) + " |")
    # Rows of one setting side by side, in the order in which the settings came.
    setting = operator.itemgetter(*SETTING)
    settings = list(dict.fromkeys(map(setting, rows)))
    for row in sorted(rows, key=lambda row: settings.index(setting(row))):
        print("| " + " | ".join(cells(row)) + " |")


if __name__ == "__main__":
    main()
