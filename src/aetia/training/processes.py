"""One or many processes, by Lightning Fabric."""

from __future__ import annotations

from datetime import timedelta

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy

from aetia.errors import InputError

__all__ = ["fabric_on", "make_fabric"]


def make_fabric(
    *,
    device: str = "auto",
    devices: int = 1,
    nodes: int = 1,
    precision: str = "32-true",
) -> Fabric:
    """Set up the processes of a run.

    Args:
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        devices: Processes per node, each with a GPU of its own or on the CPU.
        nodes: Number of nodes.
        precision: Number format of the training loop, such as ``"32-true"`` or ``"bf16-mixed"``.

    Returns:
        Fabric; call its ``launch()`` to start the other processes.

    Raises:
        InputError: If there are not as many GPUs.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"device={device!r} is not one of 'auto', 'cpu', 'cuda'.")
    n_gpus = torch.cuda.device_count() if device != "cpu" else 0
    if device == "cuda" and n_gpus < devices:
        raise InputError(f"device='cuda' with devices={devices}, but {n_gpus} GPU(s) were found.")
    accelerator = "cuda" if n_gpus >= devices and n_gpus > 0 else "cpu"
    strategy = "auto"
    if devices * nodes > 1:
        backend = "nccl" if accelerator == "cuda" else "gloo"
        strategy = DDPStrategy(process_group_backend=backend, timeout=timedelta(minutes=10))
    return Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy=strategy,
        precision=precision,  # pyright: ignore[reportArgumentType]
    )


def fabric_on(device: torch.device, precision: str = "32-true") -> Fabric:
    """Take this one process, where a module already is.

    Args:
        device: Device of the module.
        precision: Number format of the training loop, such as ``"32-true"`` or ``"bf16-mixed"``.

    Returns:
        Fabric.
    """
    if device.type == "cpu":
        return Fabric(accelerator="cpu", devices=1, precision=precision)  # pyright: ignore
    number = device.index if device.index is not None else torch.cuda.current_device()
    return Fabric(accelerator="cuda", devices=[number], precision=precision)  # pyright: ignore
