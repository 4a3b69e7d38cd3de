"""polder's training step in PyTorch: workers in turn, stacked by torch.func.vmap, and compiled.

The parameters of all workers are one array (workers, n), in polder's order, in all modes:

    eager            a worker's gradient after another's; update and mixing for all workers together
    vmap             one gradient of all workers: torch.func.vmap(torch.func.grad_and_value(loss))
    compile          torch.compile of vmap's gradients, of the ascent and of update and mixing
    compile+graph    the same, a whole step captured in a CUDA graph
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import common

try:
    import torch
    import torch.nn.functional as F
    from torch import Tensor
except ImportError:
    common.skip("no torch")

import images
import methods
import models

MODES = ("eager", "vmap", "compile", "compile+graph")

Step = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]


class TorchLayers:
    """models.Layers of tensors by name."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors

    def conv(self, x: Tensor, name: str, channels: int, kernel: int, stride: int, padding: int, bias: bool) -> Tensor:
        return F.conv2d(x, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"] if bias else None, stride,
                        padding)

    def dense(self, x: Tensor, name: str, units: int, last: bool = False) -> Tensor:
        return F.linear(x.flatten(1), self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])

    def norm(self, x: Tensor, name: str) -> Tensor:
        return F.group_norm(x, models.GROUPS, self.tensors[f"{name}.gamma"], self.tensors[f"{name}.beta"],
                            models.EPSILON)

    def relu(self, x: Tensor) -> Tensor:
        return F.relu(x)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y

    def max_pool(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, 2)

    def mean_pool(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def loss_of(model: models.Model, compute: torch.dtype | None = None) -> Callable[..., Tensor]:
    """loss(x, pixels, labels) of one worker's flat parameters: the mean cross-entropy of a minibatch.

    With `compute` the network is worked out in that type, from copies of parameters and pixels.
    """
    tensors = model.tensors()
    sizes = [tensor.size for tensor in tensors]

    def loss(x: Tensor, pixels: Tensor, labels: Tensor) -> Tensor:
        if compute is not None:
            x, pixels = x.to(compute), pixels.to(compute)
        parts = {t.name: part.view(t.shape) for t, part in zip(tensors, x.split(sizes))}
        logits = model.network(TorchLayers(parts), pixels)
        return F.cross_entropy(logits if compute is None else logits.float(), labels)

    return loss


def gradients_in_turn(loss: Callable[..., Tensor]) -> Callable[..., Any]:
    """gradients(x, pixels, labels, chosen) -> gradients and losses of all workers, one worker after the other."""

    def gradients(x: Tensor, pixels: Tensor, labels: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        g = torch.empty_like(x)
        losses = []
        for worker in range(x.shape[0]):
            mine = x[worker].detach().requires_grad_()
            value = loss(mine, pixels[chosen[worker]], labels[chosen[worker]])
            g[worker] = torch.autograd.grad(value, mine)[0]
            losses.append(value.detach())
        return g, torch.stack(losses)

    return gradients


def gradients_at_once(loss: Callable[..., Tensor]) -> Callable[..., Any]:
    """The same by one vectorized gradient."""
    stacked = torch.func.vmap(torch.func.grad_and_value(loss))

    def gradients(x: Tensor, pixels: Tensor, labels: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        return stacked(x, pixels[chosen], labels[chosen])

    return gradients


def ascent(x: Tensor, g: Tensor, rho: float) -> Tensor:
    """x + rho g / ||g||_2, worker by worker."""
    norm = torch.linalg.vector_norm(g, dim=1, keepdim=True)
    return x + torch.where(norm > methods.SMALLEST_NORM, rho / norm, 0.0) * g


def roll(x: Tensor, by: int) -> Tensor:
    """x[i - by] at i."""
    return torch.roll(x, by, 0)


def step_of(method: str, mode: str, loss: Callable[..., Tensor], pixels: Tensor, labels: Tensor,
            h: methods.Hyperparameters) -> Step:
    """step(x, m, chosen) -> new x, new m, losses: one local step and one mixing of all workers.

    `chosen` (workers, batch) are the images of the minibatches.
    """

    def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
        return torch.compile(function, dynamic=False) if mode.startswith("compile") else function

    def updated(x: Tensor, m: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        return methods.UPDATES[method](x, m, g, lambda half: methods.ring_mean(half, half.shape[0], roll), h)

    gradients = compiled((gradients_in_turn if mode == "eager" else gradients_at_once)(loss))
    uphill = compiled(ascent)
    update = compiled(updated)

    def step(x: Tensor, m: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        g, losses = gradients(x, pixels, labels, chosen)
        if method == "q_saddle":
            g, _ = gradients(uphill(x, g, h.rho), pixels, labels, chosen)
        return *update(x, m, g), losses

    return step


class Trainer:
    """State on the device and a step that replaces it."""

    def __init__(self, step: Step, start: Tensor, workers: int, batches: Tensor) -> None:
        self.step_function = step
        self.batches = batches
        self.x = start.repeat(workers, 1)
        self.m = torch.zeros_like(self.x)
        self.losses = torch.zeros(workers, dtype=start.dtype, device=start.device)

    def step(self, number: int) -> None:
        self.x, self.m, self.losses = self.step_function(self.x, self.m, self.batches[number % len(self.batches)])


class CapturedTrainer(Trainer):
    """The same, whose step is one CUDA graph that works where it was captured."""

    def __init__(self, step: Step, start: Tensor, workers: int, batches: Tensor) -> None:
        super().__init__(step, start, workers, batches)
        self.chosen = batches[0].clone()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):  # compilers and libraries do what may not be captured
                self.in_place()
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.in_place()

    def in_place(self) -> None:
        x, m, losses = self.step_function(self.x, self.m, self.chosen)
        self.x.copy_(x)
        self.m.copy_(m)
        self.losses.copy_(losses)

    def step(self, number: int) -> None:
        self.chosen.copy_(self.batches[number % len(self.batches)])
        self.graph.replay()


def launches(step: Callable[[], None]) -> int | None:
    """How many kernels a step runs on the device; None where the profiler is not allowed to look."""
    try:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as seen:
            step()
            torch.cuda.synchronize()
        on_device = [event.name for event in seen.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    except RuntimeError as error:
        common.note(f"no kernels counted: {error}")
        return None
    # Copies, and the marks that compiled code leaves on the time line, are no kernels.
    kernels = [name for name in on_device if not name.startswith(("Memcpy", "Memset", "#", "Torch-Compiled"))]
    return len(kernels) or None


def main() -> None:
    given = common.options(__doc__.splitlines()[0], MODES)
    on_gpu = given.device == "cuda"
    if on_gpu and not torch.cuda.is_available():
        common.skip("torch sees no GPU")
    if not on_gpu:
        given.modes = [mode for mode in given.modes if mode != "compile+graph"]
    if given.threads is not None:
        torch.set_num_threads(given.threads)
    torch.backends.cuda.matmul.allow_tf32 = given.precision == "tf32"
    torch.backends.cudnn.allow_tf32 = given.precision == "tf32"
    torch.backends.cudnn.benchmark = True  # the shapes never change
    compute = torch.bfloat16 if given.precision == "bf16" else None
    device = torch.device(given.device)
    about = {"peer": "torch", "version": torch.__version__,
             "device": torch.cuda.get_device_name() if on_gpu else f"cpu, {torch.get_num_threads()} threads"}

    def measured(case: common.Case, data: images.Images, method: str, mode: str) -> dict[str, Any]:
        pixels = torch.from_numpy(data.pixels).to(device)
        labels = torch.from_numpy(data.labels).to(device)
        order = images.batches(len(data.labels), case.workers, given.batch, common.CYCLE)
        batches = torch.from_numpy(order).to(device)
        start = torch.from_numpy(case.model.start()).to(device, torch.float32)
        if on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() if on_gpu else 0
        step = step_of(method, mode, loss_of(case.model, compute), pixels, labels, methods.Hyperparameters())
        trainer = (CapturedTrainer if mode == "compile+graph" else Trainer)(
            step, start, case.workers, batches)
        wait = torch.cuda.synchronize if on_gpu else lambda: None
        row: dict[str, Any] = common.measure(trainer.step, wait, given.warmup, given.seconds)
        if on_gpu:
            row["bytes_per_worker"] = (torch.cuda.max_memory_allocated() - before) / case.workers
            kernels = launches(lambda: trainer.step(0))
            row["kernels_per_worker_step"] = None if kernels is None else kernels / case.workers
        return row

    def leave(_: common.Case) -> None:
        torch._dynamo.reset()  # else another number of workers is compiled for any number

    common.run(given, about, measured, leave)


if __name__ == "__main__":
    main()
