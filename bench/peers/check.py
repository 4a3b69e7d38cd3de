"""Checks that the peers do what polder does, on the processor.

    1  the models have as many parameters as polder's
    2  eager, vmap, compile and JAX reach the same parameters from the same start and minibatches
    3  so does polder-train, with --polder PROGRAM

The distance of two results is ||a - b|| / ||b - start||, over all workers: a share of the way gone, which is less than
the parameters' norm by far. Exit status 1 where one is above its tolerance.

Formulas are compared in float64. In float32 ResNet-20 has a wide tolerance, because its results depend on rounding that
much: a line of its own says how far those of one and the same program in float32 are from those in float64. They are
up to 2.9e-3 apart, and the tolerance is a little more than three times that.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import images
import methods
import models

TOLERANCES = {
    "lenet5": {"float64": 1e-10, "float32": 1e-5, "polder": 1e-4},
    "resnet20": {"float64": 1e-10, "float32": 1e-2, "polder": 1e-2},
}
WORKERS = 5
BATCH = 4
SEED = 7
# All of them different, and large enough that none can be left out unnoticed.
VALUES = methods.Hyperparameters(lr=0.03, beta=0.8, mu=0.7, rho=0.1, weight_decay=0.02)

try:
    import torch

    import torch_peers
except ImportError:
    torch = None  # type: ignore[assignment]
try:
    import jax
    import jax.numpy as jnp

    import jax_peers
except ImportError:
    jax = None  # type: ignore[assignment]

Result = np.ndarray  # (workers, n): the parameters, in polder's order


def torch_result(model: models.Model, method: str, mode: str, data: images.Images, chosen: np.ndarray,
                 start: np.ndarray, dtype: str, h: methods.Hyperparameters) -> Result:
    """The parameters after the minibatches `chosen` (steps, workers, batch)."""
    kind = getattr(torch, dtype)
    step = torch_peers.step_of(method, mode, torch_peers.loss_of(model), torch.from_numpy(data.pixels).to(kind),
                               torch.from_numpy(data.labels), h)
    trainer = torch_peers.Trainer(step, torch.from_numpy(start).to(kind), chosen.shape[1], torch.from_numpy(chosen))
    for number in range(len(chosen)):
        trainer.step(number)
    return trainer.x.numpy().astype(np.float64)


def jax_result(model: models.Model, method: str, data: images.Images, chosen: np.ndarray, start: np.ndarray, dtype: str,
               h: methods.Hyperparameters) -> Result:
    """The same in JAX."""
    step = jax_peers.step_of(method, jax_peers.loss_of(model), h)
    x, m = jax_peers.stacked_start(model, start, chosen.shape[1], dtype)
    for minibatch in chosen:
        x, m, _ = step(x, m, jnp.asarray(data.pixels, dtype), jnp.asarray(data.labels), jnp.asarray(minibatch))
    return np.concatenate([np.asarray(x[t.name], np.float64).reshape(chosen.shape[1], -1) for t in model.tensors()], 1)


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """The float32 tensors of a file: 8 bytes of header length, a header in JSON, the numbers."""
    content = path.read_bytes()
    begin = 8 + int.from_bytes(content[:8], "little")
    found = {}
    for name, about in json.loads(content[8:begin]).items():
        if name != "__metadata__" and about["dtype"] == "F32":
            first, last = about["data_offsets"]
            found[name] = np.frombuffer(content[begin + first : begin + last], "<f4").reshape(about["shape"])
    return found


def flat(model: models.Model, tensors: dict[str, np.ndarray], prefix: str = "") -> np.ndarray:
    """A model's tensors from a file, in a row; they must be named and shaped as ours."""
    parts = []
    for tensor in model.tensors():
        found = tensors[prefix + tensor.name]
        if found.shape != tensor.shape:
            raise AssertionError(f"{tensor.name} is {tensor.shape} here, {found.shape} in polder")
        parts.append(found.ravel())
    return np.concatenate(parts).astype(np.float64)


class Polder:
    """polder-train on a few images of its own, whose shares are one minibatch each: no order of images matters."""

    def __init__(self, program: Path, folder: Path, model: models.Model) -> None:
        self.program, self.folder, self.model = program.resolve(), folder, model
        random = np.random.default_rng(SEED)
        count = WORKERS * BATCH
        pixels = random.standard_normal((count, *model.image)).astype(np.float32)
        labels = random.permutation(np.arange(count) % models.CLASSES)
        for split in ("train", "test"):
            np.save(folder / f"{split}-images.npy", pixels)
            np.save(folder / f"{split}-labels.npy", labels.astype(np.int64))
        wide = pixels.astype(np.float64)
        mean, deviation = (f((0, 2, 3), keepdims=True) for f in (wide.mean, wide.std))
        self.data = images.Images("user", (wide - mean) / deviation, labels)
        self.minibatch = np.argsort(labels, kind="stable").reshape(WORKERS, BATCH)  # --partition sorted

    def run(self, *more: str) -> None:
        command = [str(self.program), "--dataset", "user", "--data", str(self.folder), "--model", self.model.name,
                   "--partition", "sorted", "--batch", str(BATCH), "--workers", str(WORKERS), "--lr-schedule",
                   "constant", "--eval-every", "0", *more]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def start(self) -> np.ndarray:
        """What it starts from: a step of no length leaves all as it was, but for the rounding of a mean of equals."""
        path = self.folder / "start.safetensors"
        self.run("--method", "d_psgd", "--epochs", "1", "--lr", "0", "--export", str(path))
        return flat(self.model, read_safetensors(path))

    def result(self, method: str, steps: int, h: methods.Hyperparameters) -> Result:
        saved = self.folder / f"{method}-{steps}"
        own = ["--mu", str(h.mu), "--rho", str(h.rho)] if method == "q_saddle" else []
        self.run("--method", method, "--epochs", str(steps), "--lr", str(h.lr), "--momentum", str(h.beta),
                 "--weight-decay", str(h.weight_decay), *own, "--checkpoint", str(saved), "--checkpoint-every", "1")
        files = [saved / f"step-{steps}" / f"worker-{rank}.safetensors" for rank in range(WORKERS)]
        return np.stack([flat(self.model, read_safetensors(file), "x.") for file in files])


class Report:
    """Lines of a table, and whether all was well."""

    def __init__(self) -> None:
        self.failed = False

    def compare(self, what: str, result: Result, expected: Result, start: np.ndarray, tolerance: float) -> None:
        distance = float(np.linalg.norm(result - expected) / np.linalg.norm(expected - start))
        good = distance <= tolerance  # false for NaN
        self.failed |= not good
        print(f"{'ok    ' if good else 'FAILED'} {what}: {distance:.1e}, at most {tolerance:.0e}", flush=True)


def compare_peers(report: Report, model: models.Model, modes: list[str], steps: int) -> None:
    """Every peer against PyTorch's eager mode, or what there is in its place."""
    data = images.drawn(model.image, count=WORKERS * BATCH * 2, seed=SEED)
    chosen = images.batches(len(data.labels), WORKERS, BATCH, steps, SEED)
    start = model.start(SEED)
    for method in methods.METHODS:
        for dtype in ("float64", "float32"):
            given = data, chosen, start, dtype, VALUES
            results: dict[str, Result] = {}
            if torch is not None:
                results = {f"torch {mode}": torch_result(model, method, mode, *given) for mode in modes}
            if jax is not None:
                results["jax"] = jax_result(model, method, *given)
            first, *others = results
            if dtype == "float64":
                exact = results[first]
            else:
                apart = float(np.linalg.norm(results[first] - exact) / np.linalg.norm(exact - start))
                print(f"       {model.name}, {method}, {steps} steps: {first} in float32 and in float64: {apart:.1e}",
                      flush=True)
            for name in others:
                report.compare(f"{model.name}, {method}, {dtype}, {steps} steps: {name} and {first}", results[name],
                               results[first], start, TOLERANCES[model.name][dtype])


def compare_polder(report: Report, program: Path, model: models.Model, steps: int) -> None:
    """polder-train against PyTorch, or JAX in its place, after one step and after several."""
    with tempfile.TemporaryDirectory() as folder:
        polder = Polder(program, Path(folder), model)
        start = polder.start()
        for method in methods.METHODS:
            for count in sorted({1, steps}):
                chosen = np.stack([polder.minibatch] * count)
                given = polder.data, chosen, start, "float64", VALUES
                if torch is not None:
                    peer, result = "torch", torch_result(model, method, "vmap", *given)
                else:
                    peer, result = "jax", jax_result(model, method, *given)
                report.compare(f"{model.name}, {method}, {count} steps: polder and {peer}",
                               polder.result(method, count, VALUES), result, start, TOLERANCES[model.name]["polder"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--polder", type=Path, help="polder-train, to be compared as well")
    parser.add_argument("--models", nargs="+", choices=list(models.MODELS), default=list(models.MODELS))
    parser.add_argument("--steps", type=int, default=3, help="of a comparison")
    parser.add_argument("--compile", action="store_true", help="check torch.compile as well, which takes minutes")
    given = parser.parse_args()
    if given.steps < 1:
        parser.error("--steps: at least 1")
    if given.polder is not None and not os.access(given.polder, os.X_OK):
        parser.error(f"--polder {given.polder}: no such program")
    if torch is None and jax is None:
        print("skipped: neither torch nor jax")
        return
    if jax is not None:
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_default_matmul_precision", "highest")
    report = Report()
    for name in given.models:
        model = models.MODELS[name]
        model.tensors()
        print(f"ok     {name}: {model.parameters} parameters", flush=True)
        compare_peers(report, model, ["eager", "vmap"] + ["compile"] * given.compile, given.steps)
        if given.polder is not None:
            compare_polder(report, given.polder, model, given.steps)
    sys.exit(report.failed)


if __name__ == "__main__":
    main()
