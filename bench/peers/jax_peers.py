"""polder's training step in JAX: jit(vmap), the whole step one program. The parameters are a dictionary of arrays
(workers, …) by polder's names."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import common

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # leaves memory to what else runs on the device
try:
    import jax
    import jax.numpy as jnp
except ImportError:
    common.skip("no jax")

import numpy as np

import images
import methods
import models

MODES = ("jit(vmap)",)

Arrays = dict[str, jax.Array]


class JaxLayers:
    """models.Layers of arrays by name."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays

    def conv(self, x: jax.Array, name: str, channels: int, kernel: int, stride: int, padding: int,
             bias: bool) -> jax.Array:
        y = jax.lax.conv_general_dilated(x, self.arrays[f"{name}.weight"], (stride, stride), [(padding, padding)] * 2,
                                         dimension_numbers=("NCHW", "OIHW", "NCHW"))
        return y + self.arrays[f"{name}.bias"][:, None, None] if bias else y

    def dense(self, x: jax.Array, name: str, units: int, last: bool = False) -> jax.Array:
        return x.reshape(x.shape[0], -1) @ self.arrays[f"{name}.weight"].T + self.arrays[f"{name}.bias"]

    def norm(self, x: jax.Array, name: str) -> jax.Array:
        grouped = x.reshape(x.shape[0], models.GROUPS, -1)
        if x.dtype == jnp.bfloat16:
            grouped = grouped.astype(jnp.float32)
        gap = grouped - grouped.mean(-1, keepdims=True)
        n = gap * jax.lax.rsqrt((gap * gap).mean(-1, keepdims=True) + models.EPSILON)
        gamma, beta = self.arrays[f"{name}.gamma"], self.arrays[f"{name}.beta"]
        return n.astype(x.dtype).reshape(x.shape) * gamma[:, None, None] + beta[:, None, None]

    def relu(self, x: jax.Array) -> jax.Array:
        return jax.nn.relu(x)

    def add(self, x: jax.Array, y: jax.Array) -> jax.Array:
        return x + y

    def max_pool(self, x: jax.Array) -> jax.Array:
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")

    def mean_pool(self, x: jax.Array) -> jax.Array:
        return x.mean((2, 3))


def loss_of(model: models.Model, compute: Any = None) -> Callable[..., jax.Array]:
    """loss(x, pixels, labels) of one worker: the mean cross-entropy of a minibatch; in the type `compute`, if given."""

    def loss(x: Arrays, pixels: jax.Array, labels: jax.Array) -> jax.Array:
        if compute is not None:
            x, pixels = jax.tree.map(lambda a: a.astype(compute), (x, pixels))
        logits = model.network(JaxLayers(x), pixels)
        if compute is not None:
            logits = logits.astype(jnp.float32)
        own = jnp.take_along_axis(logits, labels[:, None], 1)[:, 0]
        return (jax.nn.logsumexp(logits, axis=1) - own).mean()

    return loss


def ascent(x: Arrays, g: Arrays, rho: float) -> Arrays:
    """x + rho g / ||g||_2, worker by worker, the norm over all arrays together."""
    squares = sum((a * a).reshape(a.shape[0], -1).sum(1) for a in g.values())
    norm = jnp.sqrt(squares)
    scale = jnp.where(norm > methods.SMALLEST_NORM, rho / norm, 0)
    return jax.tree.map(lambda a, b: a + scale.reshape(-1, *[1] * (b.ndim - 1)) * b, x, g)


def roll(x: jax.Array, by: int) -> jax.Array:
    """x[i - by] at i."""
    return jnp.roll(x, by, 0)


def step_of(method: str, loss: Callable[..., jax.Array], h: methods.Hyperparameters) -> Any:
    """step(x, m, pixels, labels, chosen) -> new x, new m, losses: one local step and one mixing of all workers."""
    stacked = jax.vmap(jax.value_and_grad(loss))

    def updated(x: jax.Array, m: jax.Array, g: jax.Array) -> tuple[jax.Array, jax.Array]:
        return methods.UPDATES[method](x, m, g, lambda half: methods.ring_mean(half, half.shape[0], roll), h)

    def step(x: Arrays, m: Arrays, pixels: jax.Array, labels: jax.Array,
             chosen: jax.Array) -> tuple[Arrays, Arrays, jax.Array]:
        mine = pixels[chosen], labels[chosen]
        losses, g = stacked(x, *mine)
        if method == "q_saddle":
            _, g = stacked(ascent(x, g, h.rho), *mine)
        both = {name: updated(x[name], m[name], g[name]) for name in x}
        return {name: new for name, (new, _) in both.items()}, {name: new for name, (_, new) in both.items()}, losses

    return jax.jit(step, donate_argnums=(0, 1))


def stacked_start(model: models.Model, flat: np.ndarray, workers: int, dtype: Any) -> tuple[Arrays, Arrays]:
    """All workers' parameters from one flat vector, and momenta of zero."""
    ends = np.cumsum([tensor.size for tensor in model.tensors()])
    x = {}
    for tensor, part in zip(model.tensors(), np.split(flat, ends[:-1])):
        x[tensor.name] = jnp.tile(jnp.asarray(part.reshape(tensor.shape), dtype)[None],
                                  (workers, *[1] * len(tensor.shape)))
    return x, jax.tree.map(jnp.zeros_like, x)


def main() -> None:
    given = common.options(__doc__.splitlines()[0], MODES)
    try:
        device = jax.devices(given.device)[0]
    except RuntimeError:
        common.skip("jax sees no GPU")
    precision = "tensorfloat32" if given.precision == "tf32" else "highest"
    compute = jnp.bfloat16 if given.precision == "bf16" else None
    about = {"peer": "jax", "version": jax.__version__, "device": device.device_kind}

    def measured(case: common.Case, data: images.Images, method: str, mode: str) -> dict[str, Any]:
        pixels = jnp.asarray(data.pixels)
        labels = jnp.asarray(data.labels, jnp.int32)
        order = images.batches(len(data.labels), case.workers, given.batch, common.CYCLE)
        batches = [jnp.asarray(chosen, jnp.int32) for chosen in order]
        x, m = stacked_start(case.model, case.model.start(), case.workers, jnp.float32)
        begin = time.perf_counter()
        step = step_of(method, loss_of(case.model, compute), methods.Hyperparameters())
        program = step.lower(x, m, pixels, labels, batches[0]).compile()
        seconds_to_compile = time.perf_counter() - begin
        state = [x, m, jnp.zeros(case.workers)]

        def next_step(number: int) -> None:
            state[:] = program(state[0], state[1], pixels, labels, batches[number % len(batches)])

        row: dict[str, Any] = common.measure(next_step, lambda: jax.block_until_ready(state), given.warmup,
                                             given.seconds)
        row["seconds_to_warm"] += seconds_to_compile
        memory = program.memory_analysis()
        if memory is not None:
            used = (memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes +
                    memory.temp_size_in_bytes - pixels.nbytes - labels.nbytes)
            row["bytes_per_worker"] = used / case.workers
        return row

    with jax.default_device(device), jax.default_matmul_precision(precision):
        common.run(given, about, measured)


if __name__ == "__main__":
    main()
