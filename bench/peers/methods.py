"""The methods, as formulas on arrays: PyTorch's and JAX's alike. Axis 0 counts the workers.

Both are recipes of include/polder/recipes: the gradient that goes in is plain for DSGDm-N, and sharpness-aware for
Q-SADDLe, which each framework computes for itself:

    g = gradient at x,    e = rho g / ||g||_2,    g~ = gradient at x + e on the same images      (one norm per worker)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

SMALLEST_NORM = 1e-12  # up to here a gradient has no direction, and e is 0

METHODS = ("q_saddle", "dsgdm_n")


@dataclass(frozen=True)
class Hyperparameters:
    """polder-train's defaults."""

    lr: float = 0.05
    beta: float = 0.9
    mu: float = 0.9
    rho: float = 0.05
    weight_decay: float = 1e-4


def ring_mean(x: Any, workers: int, roll: Callable[[Any, int], Any]) -> Any:
    """sum_j w_ij x_j on a ring with Metropolis weights: 1/3 for a worker and its two neighbors, 1/2 in a ring of two.

    roll(x, 1)[i] is x[i - 1], around the ring.
    """
    if workers == 1:
        return x
    if workers == 2:
        return (x + roll(x, 1)) / 2
    return (x + roll(x, 1) + roll(x, -1)) / 3


def dsgdm_n(x: Any, m: Any, g: Any, mix: Callable[[Any], Any], h: Hyperparameters) -> tuple[Any, Any]:
    """The new parameters and momenta of DSGDm-N.

    G = g + wd x,    m+ = beta m + G,    x+ = W (x - eta (G + beta m+))
    """
    big_g = g + h.weight_decay * x
    m = h.beta * m + big_g
    return mix(x - h.lr * (big_g + h.beta * m)), m


def q_saddle(x: Any, m_hat: Any, g: Any, mix: Callable[[Any], Any], h: Hyperparameters) -> tuple[Any, Any]:
    """The new parameters and quasi-global momenta of Q-SADDLe, from the sharpness-aware gradient g.

    G = g + wd x,    m = beta m^ + G,    x+ = W (x - eta (G + beta m)),    m^+ = mu m^ + (1 - mu) (x - x+) / eta
    """
    big_g = g + h.weight_decay * x
    m = h.beta * m_hat + big_g
    new_x = mix(x - h.lr * (big_g + h.beta * m))
    return new_x, h.mu * m_hat + (1 - h.mu) / h.lr * (x - new_x)


UPDATES = {"q_saddle": q_saddle, "dsgdm_n": dsgdm_n}
