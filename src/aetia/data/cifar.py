"""CIFAR-10 from its official files, without torchvision and without running what pickles say."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from aetia.data.images import Images
from aetia.errors import InputError

__all__ = ["CIFAR10_NAMES", "load_cifar10"]

_ARCHIVE = "cifar-10-python.tar.gz"
_FOLDER = "cifar-10-batches-py"
_PARTS = {
    "train": tuple(f"data_batch_{k}" for k in range(1, 6)),
    "test": ("test_batch",),
}
_PIXELS = 3 * 32 * 32
_LARGEST_FILE = 200 * 2**20
"""Official files have 31 MB; an archive cannot make us read more than this."""

CIFAR10_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
"""What the labels 0 to 9 mean."""


def load_cifar10(
    path: str | Path = "./data", *, part: Literal["train", "test"] = "train"
) -> Images:
    """Load CIFAR-10 from the official Python archive, or from the folder that is in it.

    Files are read, never unpacked to disk, and only arrays, texts and numbers are taken from them.

    Args:
        path: A folder that holds ``cifar-10-python.tar.gz`` or ``cifar-10-batches-py/``; or one of
            these themselves.
        part: ``"train"``, 50,000 images, or ``"test"``, 10,000.

    Returns:
        Colour images of 32 x 32 pixels in single precision.

    Raises:
        InputError: If the files are not there or not what they should be.
    """
    if part not in _PARTS:
        raise InputError(f"part={part!r} is not one of train, test.")
    place = _find(Path(path))
    if place.is_dir():
        files = {name: _from_folder(place / name) for name in _PARTS[part]}
    else:
        files = _from_archive(place, _PARTS[part])
    batches = [_read_batch(raw, f"{place}: {name}") for name, raw in files.items()]
    pixels = np.concatenate([pixels for pixels, _ in batches])
    return Images(pixels, np.concatenate([labels for _, labels in batches]))


def _find(path: Path) -> Path:
    places = [path / _FOLDER, path / _ARCHIVE]
    if path.name == _FOLDER and path.is_dir():
        return path
    if path.is_file():
        if not tarfile.is_tarfile(path):
            raise InputError(f"{str(path)!r} is no tar archive; {_ARCHIVE} was expected.")
        return path
    for place in places:
        if place.exists():
            return place
    raise InputError(
        f"CIFAR-10 was not found: neither {str(places[0])!r} nor {str(places[1])!r} exists. "
        "Nothing is downloaded; fetch the official Python version (cifar-10-python.tar.gz) and put "
        "it there, pass another folder, or use the digits that ship with scikit-learn."
    )


def _from_folder(file: Path) -> bytes:
    try:
        with file.open("rb") as handle:
            return _read_some(handle, str(file))
    except OSError as error:
        raise InputError(f"cannot read {str(file)!r}: {error.strerror or error}.") from error


def _from_archive(archive: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """Read members by their exact place; other members, wherever they point, are not touched."""
    wanted = {str(PurePosixPath(_FOLDER) / name): name for name in names}
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                name = wanted.get(str(PurePosixPath(member.name)))
                if name is None or not member.isreg():
                    continue
                handle = tar.extractfile(member)
                assert handle is not None  # regular files have content
                found[name] = _read_some(handle, f"{archive}: {member.name}")
    except (OSError, EOFError, tarfile.TarError) as error:
        raise InputError(
            f"{str(archive)!r} is damaged or cut off ({error}). Fetch it again."
        ) from error
    lacking = [name for name in names if name not in found]
    if lacking:
        raise InputError(f"{str(archive)!r} has no {_FOLDER}/{lacking[0]}. Fetch it again.")
    return {name: found[name] for name in names}


def _read_some(handle: Any, what: str) -> bytes:
    raw = handle.read(_LARGEST_FILE + 1)
    if len(raw) > _LARGEST_FILE:
        raise InputError(f"{what} has more than {_LARGEST_FILE // 2**20} MB; CIFAR-10 has 31.")
    return raw


class _ArraysOnly(pickle.Unpickler):
    """Rebuilds NumPy arrays and plain containers; any other name in a pickle is refused."""

    def __init__(self, file: io.BytesIO, source: str) -> None:
        super().__init__(file, encoding="bytes")
        self.source = source

    def find_class(self, module: str, name: str) -> Any:
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return _empty_array
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if (module, name) == ("_codecs", "encode"):
            return _encode
        raise InputError(
            f"{self.source} asks to run {module}.{name}, which CIFAR-10 does not need. The file is "
            "not the official one; it was not loaded."
        )


def _empty_array(kind: Any, shape: Any, typecode: Any) -> np.ndarray:
    """Stand in for NumPy's private function of the same use."""
    return np.ndarray.__new__(kind, shape, typecode)


def _encode(text: str, encoding: str) -> bytes:
    """Bytes as protocol 2 writes them; no other codec, some of which decompress."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"unexpected text encoding {encoding!r}")
    return text.encode("latin1")


def _read_batch(raw: bytes, source: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        batch = _ArraysOnly(io.BytesIO(raw), source).load()
        named = {k.decode() if isinstance(k, bytes) else k: v for k, v in batch.items()}
        data, labels = named["data"], named["labels"]
        labels = np.array([int(k) for k in labels], dtype=np.int64)
    except InputError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise InputError(
            f"{source} is damaged or not a batch of CIFAR-10 ({type(error).__name__}: {error})."
        ) from error
    shape = getattr(data, "shape", None)
    is_batch = isinstance(data, np.ndarray) and data.dtype == np.uint8
    if not is_batch or shape != (len(labels), _PIXELS) or not len(labels):
        raise InputError(
            f"{source}: bytes [n, {_PIXELS}] with n labels were expected, got "
            f"{getattr(data, 'dtype', type(data).__name__)} {shape} and {len(labels)} labels."
        )
    if labels.min() < 0 or labels.max() > 9:
        raise InputError(f"{source}: labels 0 to 9 were expected, got up to {labels.max()}.")
    # A row holds the red plane, then the green, then the blue one.
    pixels = data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).astype(np.float32) / 255
    return pixels, labels
