"""Pre-trained networks as files: weights and a model card in one bundle, nothing executable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from aetia.errors import CheckpointError, InputError
from aetia.files import is_bundle, load_bundle, save_bundle
from aetia.options import nearest

__all__ = ["Pretrained", "shipped_weights"]

_SHIPPED = Path(__file__).parent.parent / "weights"
_FILE, _OLD_CARD = "model.safetensors", "card.json"
_KIND, _SCHEMA = "Pretrained", 2


def shipped_weights() -> list[str]:
    """List the weights inside the package.

    Returns:
        Their names.
    """
    if not _SHIPPED.is_dir():
        return []
    return sorted(p.parent.name for p in _SHIPPED.glob(f"*/{_FILE}"))


@dataclass(frozen=True, eq=False, kw_only=True)
class Pretrained:
    """Weights and everything that must be known to use them.

    Attributes:
        method: ``"avici"`` or ``"bcnp"``.
        network: Options of the network.
        weights: Tensors by the name of the parameter.
        card: Training data, steps, seed, metrics, familiarity; plain values.
        name: What it is called.
    """

    method: str
    network: Mapping[str, Any]
    weights: Mapping[str, Tensor]
    card: Mapping[str, Any]
    name: str

    @property
    def key(self) -> str:
        """Hash of network and weights."""
        digest = hashlib.sha256(json.dumps(dict(self.network), sort_keys=True).encode())
        for name in sorted(self.weights):
            digest.update(name.encode())
            digest.update(self.weights[name].detach().cpu().float().numpy().tobytes())
        return digest.hexdigest()[:16]

    def save(self, folder: str | Path) -> Path:
        """Write weights and card to one file, atomically.

        Args:
            folder: Made if needed.

        Returns:
            The folder.

        Raises:
            InputError: If it cannot be written.
        """
        folder = Path(folder)
        plain = {
            "method": self.method,
            "network": dict(self.network),
            "name": self.name,
            "card": dict(self.card),
        }
        save_bundle(folder / _FILE, kind=_KIND, schema=_SCHEMA, tensors=self.weights, plain=plain)
        (folder / _OLD_CARD).unlink(missing_ok=True)  # of an earlier version
        return folder

    @classmethod
    def load(cls, name_or_path: Any) -> Pretrained:
        """Read weights that ship with the package, or from a folder.

        Args:
            name_or_path: ``"avici-base"``, ..., or a folder that :meth:`save` wrote.

        Returns:
            The weights with their card.

        Raises:
            InputError: If there are none of that name.
            CheckpointError: If the files are damaged or do not belong together.
            ResultFileError: If the file is of a newer version of aetia, or holds something else.
        """
        if not isinstance(name_or_path, (str, Path)):
            raise InputError(
                f"weights must be a name, a folder or a Pretrained, got {name_or_path!r}."
            )
        text = str(name_or_path)
        is_shipped = text in shipped_weights()
        folder = _SHIPPED / text if is_shipped else Path(name_or_path)
        if (folder / "weights" / _FILE).is_file():  # the folder of a training run
            folder = folder / "weights"
        if not (folder / _FILE).is_file():
            raise InputError(
                f"no weights {text!r}.{nearest(text, shipped_weights())} In the package: "
                f"{', '.join(shipped_weights()) or 'none'}; or pass a folder with {_FILE}, as "
                "written by `pretrain`."
            )
        if (folder / _OLD_CARD).is_file() and not is_bundle(folder / _FILE):
            tensors, plain = _read_first_schema(folder)
        else:
            _, _, tensors, plain = load_bundle(folder / _FILE, kind=_KIND, schema=_SCHEMA)
        try:
            return cls(
                method=plain["method"],
                network=plain["network"],
                weights=tensors,
                card=plain["card"],
                name=text if is_shipped else plain.get("name", folder.name),
            )
        except (KeyError, TypeError) as error:
            raise _damaged(folder, error) from error


def _read_first_schema(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read weights that have their card in a file of its own, with the checksum."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        card = json.loads((folder / _OLD_CARD).read_text(encoding="utf-8"))
        raw = (folder / _FILE).read_bytes()
        if card["schema"] > 1 or card["sha256"] != hashlib.sha256(raw).hexdigest():
            raise CheckpointError(
                f"{str(folder / _FILE)!r} is not the file that its card describes: it is "
                "truncated, was changed, or is of a newer version of aetia."
            )
        described = {"schema", "method", "network", "sha256", "name"}
        return load(raw), card | {"card": {k: v for k, v in card.items() if k not in described}}
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"the weights in {str(folder)!r} are damaged ({type(error).__name__}: {error})."
    )
