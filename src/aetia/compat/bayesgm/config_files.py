"""Parameters from the original's YAML files, of which eight come along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aetia.errors import InputError
from aetia.options import nearest

__all__ = ["CONFIG_NAMES", "load_config"]

_FOLDER = Path(__file__).parent / "configs"

CONFIG_NAMES = (
    "Mnist",
    "Semi_Twins",
    "Semi_acic",
    "Sim_Colangelo",
    "Sim_Hirano_Imbens",
    "Sim_Sun",
    "Sim_heteroskedastic",
    "Sim_low_rank",
)
"""Files that come with aetia."""


def load_config(path: str | Path) -> dict[str, Any]:
    """Read ``params``.

    Args:
        path: A YAML file, or the name of one that comes along, ``"Sim_Sun"``.

    Returns:
        The dictionary that a model takes; the model checks its keys.

    Raises:
        InputError: If there is no such file, or no mapping in it.
    """
    import yaml

    file = Path(path)
    if not file.is_file():
        if str(path).removesuffix(".yaml") not in CONFIG_NAMES:
            raise InputError(
                f"no such file: {str(path)!r}, and not one of {', '.join(CONFIG_NAMES)}."
                + nearest(str(path), list(CONFIG_NAMES))
            )
        file = _FOLDER / f"{str(path).removesuffix('.yaml')}.yaml"
    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"cannot read {str(file)!r}: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{str(file)!r} holds no mapping of parameters.")
    # YAML reads 1e-4 as text; numbers are meant.
    return {str(k): _number(v) for k, v in found.items()}


def _number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return float(value) if "e" in value.lower() else value
        except ValueError:
            return value
    return value
