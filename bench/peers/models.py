"""The networks of include/polder/nn/models.hpp, once for all frameworks.

A network is a function of `net`, the layers of a framework, and of an input. `Recorder` is the framework that computes
nothing: it notes the tensors in polder's order, under polder's names and in polder's shapes, which are PyTorch's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

EPSILON = 1e-5  # of the group norm
GROUPS = 2  # of the group norm
CLASSES = 10

Shape = tuple[int, ...]


class Layers(Protocol):
    """What a framework has to offer. `x` is a batch of images (batch, channels, height, width) or rows."""

    def conv(self, x: Any, name: str, channels: int, kernel: int, stride: int, padding: int, bias: bool) -> Any:
        """A correlation with NAME.weight (channels, in, kernel, kernel), and NAME.bias if there is one."""

    def dense(self, x: Any, name: str, units: int, last: bool = False) -> Any:
        """weight x + bias, x the whole image as one vector; the last layer starts from smaller weights."""

    def norm(self, x: Any, name: str) -> Any:
        """gamma_c (x - mean_g) / sqrt(var_g + EPSILON) + beta_c over GROUPS groups of an image, var_g biased."""

    def relu(self, x: Any) -> Any: ...

    def add(self, x: Any, y: Any) -> Any: ...

    def max_pool(self, x: Any) -> Any:
        """The maximum of windows of 2 x 2, side by side."""

    def mean_pool(self, x: Any) -> Any:
        """The mean over the pixels of each channel."""


def lenet5(net: Layers, x: Any) -> Any:
    """LeNet-5 for 1 x 28 x 28 with ReLU and max-pooling: 61,706 parameters."""
    x = net.max_pool(net.relu(net.conv(x, "conv1", 6, kernel=5, stride=1, padding=2, bias=True)))
    x = net.max_pool(net.relu(net.conv(x, "conv2", 16, kernel=5, stride=1, padding=0, bias=True)))
    x = net.relu(net.dense(x, "dense1", 120))
    x = net.relu(net.dense(x, "dense2", 84))
    return net.dense(x, "dense3", CLASSES, last=True)


def resnet20(net: Layers, x: Any) -> Any:
    """ResNet-20 for 3 x 32 x 32 with GroupNorm and 1 x 1 convolutions as shortcuts: 272,474 parameters."""

    def conv_norm(x: Any, where: str, number: int, channels: int, kernel: int, stride: int) -> Any:
        x = net.conv(x, f"{where}conv{number}", channels, kernel, stride, padding=kernel // 2, bias=False)
        return net.norm(x, f"{where}norm{number}")

    x = net.relu(conv_norm(x, "", 1, 16, kernel=3, stride=1))
    for block in range(9):
        channels = 16 << block // 3
        stride = 2 if block in (3, 6) else 1
        where = f"block{block + 1}."
        y = net.relu(conv_norm(x, where, 1, channels, kernel=3, stride=stride))
        y = conv_norm(y, where, 2, channels, kernel=3, stride=1)
        if stride == 2:
            x = conv_norm(x, where + "shortcut.", 1, channels, kernel=1, stride=2)
        x = net.relu(net.add(y, x))
    return net.dense(net.mean_pool(x), "dense1", CLASSES, last=True)


@dataclass(frozen=True)
class Tensor:
    """A tensor of a model, and the normal distribution from which it starts."""

    name: str
    shape: Shape
    mean: float = 0.0
    deviation: float = 0.0

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class Recorder:
    """Layers whose inputs are shapes (channels, height, width)."""

    def __init__(self, convolutions_by_fan_out: bool) -> None:
        self.tensors: list[Tensor] = []
        self.by_fan_out = convolutions_by_fan_out

    def conv(self, x: Shape, name: str, channels: int, kernel: int, stride: int, padding: int, bias: bool) -> Shape:
        inputs, height, width = x
        fan = kernel * kernel * (channels if self.by_fan_out else inputs)
        self.tensors.append(
            Tensor(f"{name}.weight", (channels, inputs, kernel, kernel), deviation=math.sqrt(2 / fan)))
        if bias:
            self.tensors.append(Tensor(f"{name}.bias", (channels,)))
        return channels, (height + 2 * padding - kernel) // stride + 1, (width + 2 * padding - kernel) // stride + 1

    def dense(self, x: Shape, name: str, units: int, last: bool = False) -> Shape:
        inputs = math.prod(x)
        self.tensors.append(
            Tensor(f"{name}.weight", (units, inputs), deviation=math.sqrt((1 if last else 2) / inputs)))
        self.tensors.append(Tensor(f"{name}.bias", (units,)))
        return (units,)

    def norm(self, x: Shape, name: str) -> Shape:
        self.tensors += [Tensor(f"{name}.gamma", (x[0],), mean=1.0), Tensor(f"{name}.beta", (x[0],))]
        return x

    def relu(self, x: Shape) -> Shape:
        return x

    def add(self, x: Shape, y: Shape) -> Shape:
        assert x == y, f"{x} and {y} cannot be added"
        return x

    def max_pool(self, x: Shape) -> Shape:
        return x[0], x[1] // 2, x[2] // 2

    def mean_pool(self, x: Shape) -> Shape:
        return (x[0],)


@dataclass(frozen=True)
class Model:
    """A network for one shape of images."""

    name: str
    image: tuple[int, int, int]
    network: Callable[[Layers, Any], Any]
    parameters: int  # as many as polder's model has
    convolutions_by_fan_out: bool

    def tensors(self) -> list[Tensor]:
        """All tensors, in the order in which polder's flat vector has them."""
        recorder = Recorder(self.convolutions_by_fan_out)
        self.network(recorder, self.image)
        count = sum(tensor.size for tensor in recorder.tensors)
        if count != self.parameters:
            raise AssertionError(f"{self.name} has {count} parameters, polder's {self.parameters}")
        return recorder.tensors

    def start(self, seed: int = 1) -> np.ndarray:
        """A flat vector to start from, drawn as polder draws it, from another generator."""
        random = np.random.default_rng(seed)
        return np.concatenate([random.normal(t.mean, t.deviation, t.size) for t in self.tensors()])


MODELS = {
    "lenet5": Model("lenet5", (1, 28, 28), lenet5, 61_706, convolutions_by_fan_out=False),
    "resnet20": Model("resnet20", (3, 32, 32), resnet20, 272_474, convolutions_by_fan_out=True),
}
