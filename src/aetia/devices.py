"""Where estimators compute."""

from __future__ import annotations

import torch

from aetia.errors import InputError

__all__ = ["pick_device"]


def pick_device(name: str) -> torch.device:
    """Turn the public ``device`` argument into a device.

    Args:
        name: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.

    Returns:
        The device; ``"auto"`` takes a GPU if there is one.

    Raises:
        InputError: If the name is none, or there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"device must be 'auto', 'cpu' or 'cuda', got {name!r}.") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError("device='cuda', but torch sees no CUDA device. Use device='auto'.")
    return device
