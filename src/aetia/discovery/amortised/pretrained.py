"""Pre-trained networks as files: safetensors and a model card, nothing executable."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from aetia.errors import CheckpointError, InputError
from aetia.files import plain_json
from aetia.options import nearest

__all__ = ["Pretrained", "shipped_weights"]

_SHIPPED = Path(__file__).parent.parent / "weights"
_WEIGHTS, _CARD = "model.safetensors", "card.json"
_SCHEMA = 1


def shipped_weights() -> list[str]:
    """List the weights inside the package.

    Returns:
        Their names.
    """
    if not _SHIPPED.is_dir():
        return []
    return sorted(p.parent.name for p in _SHIPPED.glob(f"*/{_CARD}"))


@dataclass(frozen=True, eq=False, kw_only=True)
class Pretrained:
    """Weights and everything that must be known to use them.

    Attributes:
        method: ``"avici"`` or ``"bcnp"``.
        network: Options of the network.
        weights: By parameter name.
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
        """Write weights and card, each atomically, the card last.

        Args:
            folder: Made if needed.

        Returns:
            The folder.

        Raises:
            InputError: If it cannot be written.
        """
        from safetensors.torch import save_file

        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as temporary:
                part = Path(temporary) / _WEIGHTS
                save_file({k: v.detach().cpu().contiguous() for k, v in self.weights.items()}, part)
                checksum = hashlib.sha256(part.read_bytes()).hexdigest()
                card = {
                    **self.card,
                    "schema": _SCHEMA,
                    "method": self.method,
                    "network": dict(self.network),
                    "sha256": checksum,
                    "name": self.name,
                }
                text = json.dumps(plain_json(card), indent=1, sort_keys=True)
                (Path(temporary) / _CARD).write_text(text + "\n", encoding="utf-8")
                for name in (_WEIGHTS, _CARD):
                    with (Path(temporary) / name).open("rb+") as handle:
                        os.fsync(handle.fileno())
                    os.replace(Path(temporary) / name, folder / name)
        except OSError as error:
            raise InputError(f"cannot write weights to {str(folder)!r}: {error}") from error
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
        """
        from safetensors import SafetensorError
        from safetensors.torch import load

        if not isinstance(name_or_path, (str, Path)):
            raise InputError(
                f"weights must be a name, a folder or a Pretrained, got {name_or_path!r}."
            )
        text = str(name_or_path)
        folder = _SHIPPED / text if text in shipped_weights() else Path(name_or_path)
        if (folder / "weights" / _CARD).is_file():  # the folder of a training run
            folder = folder / "weights"
        if not (folder / _CARD).is_file():
            raise InputError(
                f"no weights {text!r}.{nearest(text, shipped_weights())} In the package: "
                f"{', '.join(shipped_weights()) or 'none'}; or pass a folder with {_WEIGHTS} and "
                f"{_CARD}, as written by `pretrain`."
            )
        try:
            card = json.loads((folder / _CARD).read_text(encoding="utf-8"))
            raw = (folder / _WEIGHTS).read_bytes()
            if card["schema"] > _SCHEMA or card["sha256"] != hashlib.sha256(raw).hexdigest():
                raise CheckpointError(
                    f"{str(folder / _WEIGHTS)!r} is not the file that its card describes: it is "
                    "truncated, was changed, or is of a newer version of aetia."
                )
            return cls(
                method=card["method"],
                network=card["network"],
                weights=load(raw),
                card=card,
                name=text if text in shipped_weights() else card.get("name", folder.name),
            )
        except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(
                f"the weights in {str(folder)!r} are damaged ({type(error).__name__}: {error})."
            ) from error
