"""A fitted denoiser in one file: safetensors with a JSON header, nothing executable."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from aetia.errors import CheckpointError, InputError, ResultFileError
from aetia.files import plain_json, write_atomically
from aetia.generation.diffusion.process.distances import DISTANCES
from aetia.generation.diffusion.process.schedule import SCHEDULES
from aetia.options import options_dict

__all__ = ["Stored", "damage_named", "read_model", "write_model"]

_SCHEMA = 1
_OBJECTS = {"distance": DISTANCES, "schedule": SCHEDULES}


class Stored(NamedTuple):
    """What a file holds."""

    header: dict[str, Any]
    options: dict[str, Any]
    """Of the configuration; lists are tuples again."""
    tensors: dict[str, Tensor]

    def fill(self, network: nn.Module) -> None:
        """Give a network its weights, ready for use.

        Args:
            network: With the sizes of the stored one.
        """
        prefix = "network."
        named = {k.removeprefix(prefix): v for k, v in self.tensors.items() if prefix in k}
        network.load_state_dict(named)
        network.eval().requires_grad_(False)


def write_model(
    file: Path,
    network: nn.Module,
    tensors: Mapping[str, Tensor],
    header: Mapping[str, Any],
    config: Any,
) -> None:
    """Write weights, tensors and plain values, atomically.

    Args:
        file: Its folder is made if needed.
        network: The denoiser.
        tensors: What else is needed.
        header: Plain values.
        config: Options.

    Raises:
        InputError: If it cannot be written, or an option is an object of the user's own class.
    """
    from safetensors.torch import save

    for name, classes in _OBJECTS.items():
        value = getattr(config, name)
        if not isinstance(value, (str, Mapping)) and type(value) not in classes.values():
            raise InputError(
                f"{name} is a {type(value).__name__}, which is not part of aetia and cannot be "
                f"saved; use one of {list(classes)}."
            )
    every = {f"network.{k}": v for k, v in network.state_dict().items()} | dict(tensors)
    text = {"schema": _SCHEMA, **header, "config": options_dict(config)}
    contiguous = {k: v.detach().cpu().contiguous() for k, v in every.items()}
    write_atomically(
        file, save(contiguous, {"aetia": json.dumps(plain_json(text), sort_keys=True)})
    )


def read_model(file: Path, kind: str) -> Stored:
    """Read what :func:`write_model` wrote, onto the CPU.

    Args:
        file: The file.
        kind: Class of the estimator, for messages.

    Returns:
        Its content.

    Raises:
        ResultFileError: If there is no such file.
        CheckpointError: If it is of a newer version.
    """
    from safetensors import safe_open

    if not file.is_file():
        raise ResultFileError(
            f"no saved {kind} at {str(file.parent)!r}: {file.name} is missing. Pass the folder "
            "that `save` wrote."
        )
    with safe_open(str(file), "pt") as handle:
        header = json.loads(handle.metadata()["aetia"])
        tensors = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
    if header["schema"] > _SCHEMA:
        raise CheckpointError(f"{str(file)!r} is of a newer version of aetia.")
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in header["config"].items()}
    return Stored(header, options, tensors)


@contextmanager
def damage_named(folder: str | Path) -> Iterator[None]:
    """Turn whatever a damaged file leads to into one error.

    Args:
        folder: For the message.

    Yields:
        Nothing.

    Raises:
        CheckpointError: If something in the block fails that a whole file would not cause.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (CheckpointError, ResultFileError):
        raise
    except (OSError, KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"the model in {str(folder)!r} is damaged ({type(error).__name__}: {error})."
        ) from error
