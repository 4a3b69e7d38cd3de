"""What both peers have in common: options, the clock, and the record of a row."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import images
import methods
import models

ROUNDS = 5  # of a measurement
CYCLE = 64  # minibatches that lie ready on the device
PRECISIONS = ("fp32", "tf32", "bf16")


@dataclass(frozen=True)
class Case:
    """A model and how many train it."""

    model: models.Model
    workers: int


def list_of(what: str, allowed: tuple[str, ...]) -> Callable[[str], list[str]]:
    """A reader of words with commas between."""

    def read(text: str) -> list[str]:
        words = text.split(",")
        for word in words:
            if word not in allowed:
                raise argparse.ArgumentTypeError(f"{what} '{word}': allowed: {', '.join(allowed)}")
        return words

    return read


def cases(text: str) -> list[Case]:
    """Reads resnet20:10,lenet5:128."""
    found = []
    for word in text.split(","):
        name, _, workers = word.partition(":")
        if name not in models.MODELS or not workers.isdecimal() or not 1 <= int(workers) <= 4096:
            raise argparse.ArgumentTypeError(
                f"'{word}': allowed: {' or '.join(models.MODELS)}, a colon and a number of workers from 1 to 4096")
        found.append(Case(models.MODELS[name], int(workers)))
    return found


def at_least(least: float, kind: type) -> Callable[[str], Any]:
    """A reader of numbers that are not too small."""

    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not value >= least:
            raise argparse.ArgumentTypeError(f"'{text}': allowed: {kind.__name__} >= {least}")
        return value

    return read


def options(about: str, modes: tuple[str, ...]) -> argparse.Namespace:
    """The command line; leaves with status 2 and one sentence for what is not right."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="where to train")
    parser.add_argument("--cases", type=cases, default="resnet20:10,lenet5:10,lenet5:128,resnet20:40",
                        help="models and numbers of workers")
    parser.add_argument("--methods", type=list_of("method", methods.METHODS), default=",".join(methods.METHODS),
                        help="with commas between")
    parser.add_argument("--modes", type=list_of("mode", modes), default=",".join(modes), help="with commas between")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32",
                        help="fp32; tf32: products rounded so; bf16: forward and backward pass in bfloat16, with "
                        "parameters, update and mixing in fp32")
    parser.add_argument("--batch", type=at_least(1, int), default=32, help="images of a step, per worker")
    parser.add_argument("--data", type=Path, help="folder of CIFAR-10's binary files and Fashion-MNIST's IDX files; "
                        "without it random images")
    parser.add_argument("--warmup", type=at_least(1, int), default=5, help="steps before the clock starts")
    parser.add_argument("--seconds", type=at_least(0, float), default=2.0, help="how long a row is timed")
    parser.add_argument("--max-seconds", type=at_least(0, float), default=float("inf"),
                        help="after so many seconds no other row is begun")
    parser.add_argument("--threads", type=at_least(1, int), help="processors to use; without it all")
    parser.add_argument("--json", type=Path, help="file to which a line is added for each row; else stdout")
    given = parser.parse_args()
    if given.threads is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.threads])
    if given.precision == "tf32" and given.device == "cpu":
        parser.error("--precision tf32: only with --device cuda")
    return given


def skip(why: str) -> NoReturn:
    """Nothing can be measured here, which is no failure."""
    print(f"skipped: {why}")
    sys.exit(0)


def note(*words: Any) -> None:
    """Progress, kept out of the results."""
    print(*words, file=sys.stderr, flush=True)


def measure(step: Callable[[int], None], wait: Callable[[], None], warmup: int, seconds: float) -> dict[str, float]:
    """Times step(0), step(1), …: the median of ROUNDS rounds that take `seconds` together.

    `wait` returns when the device has done all that was asked of it. `seconds_to_warm` is what the first steps took,
    compilation and all; `spread` the distance of the slowest round from the fastest, as a share of the median.
    """
    begin = time.perf_counter()
    for number in range(warmup):
        step(number)
    wait()
    warm = time.perf_counter()
    step(warmup)
    wait()
    once = time.perf_counter() - warm
    steps = max(1, round(seconds / ROUNDS / once))
    number = warmup + 1
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(steps):
            step(number)
            number += 1
        wait()
        rounds.append((time.perf_counter() - start) / steps)
    median = statistics.median(rounds)
    return {"seconds_per_step": median, "spread": (max(rounds) - min(rounds)) / median, "seconds_to_warm": warm - begin}


def run(given: argparse.Namespace, about: dict[str, str],
        measured: Callable[[Case, images.Images, str, str], dict[str, Any]],
        leave: Callable[[Case], None] = lambda case: None) -> None:
    """Measures all rows: measured(case, images, method, mode) for each, and leave(case) behind a case's last one.

    A row that fails, for want of memory for instance, is a row with an `error`. What is left out is said in the end,
    on stdout if the rows go elsewhere.
    """
    begin = time.monotonic()
    left_out = 0
    cached: dict[str, images.Images] = {}

    def rows() -> Iterator[tuple[Case, str, str]]:
        for case in given.cases:
            for method in given.methods:
                for mode in given.modes:
                    yield case, method, mode
            leave(case)

    for case, method, mode in rows():
        words = f"{about['peer']} {mode}, {case.model.name}, {case.workers} workers, {method}"
        if time.monotonic() - begin > given.max_seconds:
            left_out += 1
            continue
        note(words)
        row = {**about, "mode": mode, "model": case.model.name, "workers": case.workers, "batch": given.batch,
               "method": method, "precision": given.precision}
        try:
            if case.model.name not in cached:
                cached[case.model.name] = images.images_for(case.model.name, case.model.image, given.data)
            data = cached[case.model.name]
            row["data"] = data.name
            row.update(measured(case, data, method, mode))
            row["samples_per_second"] = case.workers * given.batch / row["seconds_per_step"]
        except images.DataError as error:
            note(f"{Path(sys.argv[0]).name}: {error}")
            sys.exit(2)
        except Exception as error:  # noqa: BLE001 - compilers of frameworks throw what they like; the others go on
            row["error"] = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
            note(row["error"])
        line = json.dumps(row)
        if given.json is None:
            print(line, flush=True)
        else:
            with given.json.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
    if left_out > 0:
        print(f"{about['peer']}: {left_out} rows left out for want of time",
              file=sys.stderr if given.json is None else sys.stdout)
