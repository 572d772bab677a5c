"""Images in: readers of digits, and masks that hide pixels."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from aetia.errors import InputError, MissingDependencyError
from aetia.options import nearest

__all__ = ["PIXEL_MASKS", "Images", "load_digits", "load_mnist", "pixel_mask"]

PIXEL_MASKS = (
    "holes",
    "edge_stripe",
    "upper_half",
    "lower_half",
    "left_half",
    "right_half",
)
"""What :func:`pixel_mask` can hide."""

_IDX_IMAGES, _IDX_LABELS = 2051, 2049
_NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


class Images(NamedTuple):
    """Pictures with their labels."""

    pixels: Float[np.ndarray, "n h w c"]
    """Brightness of each pixel, in [0, 1]."""
    labels: Int[np.ndarray, " n"]


def load_digits() -> Images:
    """Load the 1,797 digits of 8 x 8 pixels that ship with scikit-learn.

    Returns:
        Grey images.
    """
    from sklearn import datasets

    found: Any = datasets.load_digits()
    pixels = np.asarray(found.images)[..., None] / 16.0
    return Images(pixels, np.asarray(found.target).astype(np.int64))


def load_mnist(
    path: str | Path | None = None,
    *,
    part: Literal["train", "test"] = "train",
    offline: bool | None = None,
) -> Images:
    """Load MNIST from a file of yours, or fetch it from OpenML.

    Args:
        path: A folder with the four IDX files (plain or .gz), or an .npz file with ``x_train``,
            ``y_train``, ``x_test``, ``y_test``. None fetches 70,000 images from OpenML, of which
            the first 60,000 are for training.
        part: ``"train"`` or ``"test"``.
        offline: Never use the network. None takes the environment variable ``AETIA_OFFLINE``.

    Returns:
        Images of 28 x 28 pixels.

    Raises:
        InputError: If the files are not there or not what they should be.
    """
    if part not in _NAMES:
        raise InputError(f"part={part!r} is not one of train, test.")
    if path is not None:
        file = Path(path)
        if file.suffix == ".npz":
            return _from_npz(file, part)
        if not file.is_dir():
            raise InputError(
                f"{str(file)!r} is neither an .npz file nor a folder with IDX files "
                f"({', '.join(_NAMES[part])}, plain or .gz)."
            )
        images, labels = (_read_idx(_find(file, name)) for name in _NAMES[part])
        return _checked(images, labels, str(file))
    if offline is None:
        offline = os.environ.get("AETIA_OFFLINE", "") not in ("", "0")
    if offline:
        raise InputError(
            "MNIST must be fetched, and the network is switched off. Pass path=FOLDER with the IDX "
            "files or path=mnist.npz, unset AETIA_OFFLINE, or use load_digits()."
        )
    return _from_openml(part)


def pixel_mask(
    kind: str,
    shape: tuple[int, int] = (28, 28),
    *,
    center: tuple[int, int] | None = None,
    n_holes: int = 1,
    hole_size: int = 3,
    orientation: str = "horizontal",
    width: int = 4,
    position: int | None = None,
    rng: np.random.Generator | None = None,
) -> Bool[np.ndarray, "h w"]:
    """Choose pixels to hide.

    A vertical stripe covers columns of the image; the original covers rows in both orientations.

    Args:
        kind: One of ``PIXEL_MASKS``: squares, a stripe, or a half.
        shape: Height and width.
        center: Row and column of the first hole; None for the middle.
        n_holes: Squares; those after the first lie anywhere inside.
        hole_size: Side of a square.
        orientation: Direction of the stripe, ``"horizontal"`` or ``"vertical"``.
        width: Rows (or columns) of the stripe.
        position: First row (or column) of the stripe; None for the middle of the image.
        rng: Source of holes after the first.

    Returns:
        True where a pixel is hidden.

    Raises:
        InputError: If the mask is unknown, or does not fit the image.
    """
    height, breadth = shape
    hidden = np.zeros(shape, dtype=bool)
    if kind == "holes":
        _make_holes(hidden, center or (height // 2, breadth // 2), n_holes, hole_size, rng)
    elif kind == "edge_stripe":
        if orientation not in ("horizontal", "vertical"):
            raise InputError(f"orientation={orientation!r} is not one of horizontal, vertical.")
        side = height if orientation == "horizontal" else breadth
        start = side // 2 if position is None else position
        if width < 1 or start < 0 or start + width > side:
            raise InputError(
                f"a {orientation} stripe of width {width} from {start} does not fit an image of "
                f"{height} x {breadth} pixels."
            )
        stripe = slice(start, start + width)
        hidden[(stripe, slice(None)) if orientation == "horizontal" else (slice(None), stripe)] = (
            True
        )
    elif kind == "upper_half":
        hidden[: height // 2] = True
    elif kind == "lower_half":
        hidden[height // 2 :] = True
    elif kind == "left_half":
        hidden[:, : breadth // 2] = True
    elif kind == "right_half":
        hidden[:, breadth // 2 :] = True
    else:
        raise InputError(
            f"kind={kind!r} is not one of {', '.join(PIXEL_MASKS)}.{nearest(kind, [*PIXEL_MASKS])}"
        )
    return hidden


def _make_holes(
    hidden: np.ndarray,
    center: tuple[int, int],
    n_holes: int,
    size: int,
    rng: np.random.Generator | None,
) -> None:
    height, breadth = hidden.shape
    if n_holes < 1 or not 1 <= size <= min(height, breadth):
        raise InputError(
            f"{n_holes} hole(s) of side {size} were asked for in an image of {height} x {breadth} "
            "pixels; at least one hole that fits is needed."
        )
    if n_holes > 1 and rng is None:
        raise InputError("more than one hole lies anywhere: pass rng=numpy.random.default_rng(0).")
    corners = [(center[0] - size // 2, center[1] - size // 2)]
    for _ in range(n_holes - 1):
        assert rng is not None
        row, column = rng.integers(height - size + 1), rng.integers(breadth - size + 1)
        corners.append((int(row), int(column)))
    for row, column in corners:
        if not (0 <= row <= height - size and 0 <= column <= breadth - size):
            raise InputError(
                f"a hole of side {size} around {center} does not fit an image of {height} x "
                f"{breadth} pixels."
            )
        hidden[row : row + size, column : column + size] = True


def _find(folder: Path, name: str) -> Path:
    dotted = name.replace("-idx", ".idx")  # how some tools unpack it
    for candidate in (name, f"{name}.gz", dotted, f"{dotted}.gz"):
        if (folder / candidate).is_file():
            return folder / candidate
    raise InputError(f"no file {name!r} (plain or .gz) in {str(folder)!r}.")


def _read_idx(file: Path) -> np.ndarray:
    try:
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError) as error:
        raise InputError(f"cannot read {str(file)!r}: {error}") from error
    magic = int.from_bytes(raw[:4], "big")
    if magic not in (_IDX_IMAGES, _IDX_LABELS):
        raise InputError(
            f"{str(file)!r} is no IDX file of bytes: it starts with {magic}, expected "
            f"{_IDX_IMAGES} (images) or {_IDX_LABELS} (labels)."
        )
    n_axes = magic % 256
    shape = [int.from_bytes(raw[4 + 4 * k : 8 + 4 * k], "big") for k in range(n_axes)]
    values = np.frombuffer(raw, np.uint8, offset=4 + 4 * n_axes)
    if values.size != np.prod(shape):
        raise InputError(
            f"{str(file)!r} is truncated: {values.size:,} bytes for shape {shape}. Fetch it again."
        )
    return values.reshape(shape)


def _from_npz(file: Path, part: str) -> Images:
    if not file.is_file():
        raise InputError(f"no such file: {str(file)!r}.")
    try:
        with np.load(file, allow_pickle=False) as data:
            missing = [k for k in (f"x_{part}", f"y_{part}") if k not in data]
            if missing:
                raise InputError(
                    f"{str(file)!r} has the arrays {list(data)}, not {', '.join(missing)}."
                )
            return _checked(data[f"x_{part}"], data[f"y_{part}"], str(file))
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot read {str(file)!r}: {error}") from error


def _from_openml(part: str) -> Images:
    from sklearn.datasets import fetch_openml

    try:
        found: Any = fetch_openml("mnist_784", version=1, as_frame=False, parser="liac-arff")
    except ImportError as error:
        raise MissingDependencyError(str(error)) from error
    except Exception as error:  # whatever the network does
        raise InputError(
            f"cannot fetch MNIST from OpenML ({error}). Pass path=FOLDER with the IDX files."
        ) from error
    rows = slice(None, 60_000) if part == "train" else slice(60_000, None)
    pixels = np.asarray(found.data[rows]).reshape(-1, 28, 28)
    return _checked(pixels, np.asarray(found.target[rows]).astype(np.int64), "OpenML")


def _checked(images: np.ndarray, labels: np.ndarray, source: str) -> Images:
    if images.ndim != 3 or len(images) != len(labels):
        raise InputError(
            f"{source}: images [n, height, width] and labels [n] were expected, got "
            f"{images.shape} and {labels.shape}."
        )
    pixels = images.astype(np.float64)[..., None]
    return Images(pixels / 255.0 if pixels.max() > 1 else pixels, labels.astype(np.int64))
