"""Images to train on: Fashion-MNIST in IDX files, CIFAR-10 in its binary files, or numbers drawn at random."""

from __future__ import annotations

import gzip
import lzma
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# What polder subtracts from and divides out of pixel / 255: include/polder/data/cifar.hpp.
CIFAR10_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR10_DEVIATION = (0.2023, 0.1994, 0.2010)

CIFAR10_RECORD = 1 + 3 * 32 * 32


class DataError(Exception):
    """A file that is missing, or that is not what its name says."""


@dataclass(frozen=True)
class Images:
    """Normalized images (N, C, H, W) in float32 and labels (N)."""

    name: str
    pixels: np.ndarray
    labels: np.ndarray


def read(folders: list[Path], name: str) -> bytes:
    """The content of a file, plain, .gz or .xz, from the first of the folders that has it."""
    for folder in folders:
        for suffix, opened in (("", open), (".gz", gzip.open), (".xz", lzma.open)):
            path = folder / (name + suffix)
            if path.is_file():
                with opened(path, "rb") as file:
                    return file.read()
    raise DataError(f"no {name}, {name}.gz or {name}.xz in {' or '.join(str(folder) for folder in folders)}")


def read_idx(folders: list[Path], name: str, dimensions: int) -> np.ndarray:
    """An IDX file of bytes: 0, 0, 8, the number of dimensions, the extents as big-endian 32-bit numbers, the bytes."""
    content = read(folders, name)
    if content[:4] != bytes((0, 0, 8, dimensions)):
        raise DataError(f"{name} is not an IDX file of bytes with {dimensions} dimensions")
    extents = np.frombuffer(content, ">u4", dimensions, offset=4).astype(int)
    bytes_of_it = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions)
    if bytes_of_it.size != extents.prod():
        raise DataError(f"{name} has {bytes_of_it.size} bytes where its header says {extents.prod()}")
    return bytes_of_it.reshape(extents)


def normalized(pixels: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """(pixel / 255 - mean_c) / deviation_c."""
    scale = (1 / (255 * deviation)).astype(np.float32).reshape(1, -1, 1, 1)
    shift = (mean / deviation).astype(np.float32).reshape(1, -1, 1, 1)
    return pixels.astype(np.float32) * scale - shift


def fashion_mnist(folder: Path) -> Images:
    """Fashion-MNIST's training images, normalized by their own mean and deviation."""
    folders = [folder, folder / "fashion-mnist"]
    pixels = read_idx(folders, "train-images-idx3-ubyte", 3)[:, None]
    labels = read_idx(folders, "train-labels-idx1-ubyte", 1)
    mean, deviation = np.array([pixels.mean() / 255]), np.array([pixels.std() / 255])
    return Images("fashion-mnist", normalized(pixels, mean, deviation), labels.astype(np.int64))


def cifar10(folder: Path) -> Images:
    """CIFAR-10's training images: records of a label and 3 x 32 x 32 bytes."""
    folders = [folder, folder / "cifar10", folder / "cifar-10-batches-bin"]
    content = b"".join(read(folders, f"data_batch_{i}.bin") for i in range(1, 6))
    if len(content) % CIFAR10_RECORD != 0:
        raise DataError(f"CIFAR-10's {len(content)} bytes are no whole number of records of {CIFAR10_RECORD}")
    records = np.frombuffer(content, np.uint8).reshape(-1, CIFAR10_RECORD)
    pixels = records[:, 1:].reshape(-1, 3, 32, 32)
    return Images("cifar10", normalized(pixels, np.array(CIFAR10_MEAN), np.array(CIFAR10_DEVIATION)),
                  records[:, 0].astype(np.int64))


def drawn(shape: tuple[int, int, int], count: int = 20_000, seed: int = 1) -> Images:
    """Standard normal pixels and uniform labels: as fast as others to train on, and never learned."""
    random = np.random.default_rng(seed)
    return Images("random", random.standard_normal((count, *shape), dtype=np.float32), random.integers(0, 10, count))


def images_for(model: str, image: tuple[int, int, int], folder: Path | None) -> Images:
    """What a model trains on: CIFAR-10 or Fashion-MNIST from the folder, random images without one."""
    if folder is None:
        return drawn(image)
    return cifar10(folder) if model == "resnet20" else fashion_mnist(folder)


def batches(images: int, workers: int, batch: int, steps: int, seed: int = 1) -> np.ndarray:
    """Indices (steps, workers, batch): every worker goes through a share of its own, in a new order every epoch."""
    random = np.random.default_rng(seed)
    share = images // workers
    if share < batch:
        raise DataError(f"{images} images are less than {batch} for each of {workers} workers: take fewer workers")
    shares = random.permutation(images)[: workers * share].reshape(workers, share)
    epochs = -(-steps // (share // batch))
    of_workers = []
    for mine in shares:
        rows = [random.permutation(mine)[: share // batch * batch].reshape(-1, batch) for _ in range(epochs)]
        of_workers.append(np.concatenate(rows)[:steps])
    return np.stack(of_workers, axis=1)
