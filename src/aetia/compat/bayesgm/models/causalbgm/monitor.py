"""What the original prints on the way, under its names."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from aetia.compat.bayesgm.models.causalbgm.plug_in import PlugIn

__all__ = ["errors_of_an_epoch", "losses_of_the_start", "say"]


def say(verbose: int, text: str) -> None:
    """Write a line to the standard output.

    Args:
        verbose: Whether to.
        text: The line.
    """
    if verbose:
        sys.stdout.write(f"{text}\n")


def losses_of_the_start(iteration: int, signals: Mapping[str, float]) -> str:
    """Write a line about an iteration.

    Args:
        iteration: Its number.
        signals: Losses of the iteration by name, in the units of the networks.

    Returns:
        The line.
    """
    names = ("e_loss_adv", "l2_loss_v", "l2_loss_z", "l2_loss_x", "l2_loss_y")
    losses = {
        **{name: signals[f"networks/{name}"] for name in names},
        "g_e_loss": signals["networks/loss"],
        "dz_loss": signals["critic/dz_loss"],
        "d_loss": signals["critic/loss"],
    }
    told = ", ".join(f"{name} [{value:.4f}]" for name, value in losses.items())
    return f"EGM Initialization Iter [{iteration}] : {told}"


def errors_of_an_epoch(epoch: int, n_epochs: int, found: PlugIn) -> str:
    """Write a line about a pass.

    Args:
        epoch: Its number.
        n_epochs: How many there are.
        found: Errors in the user's units.

    Returns:
        The line.
    """
    return (
        f"Epoch [{epoch}/{n_epochs}]: MSE_x: {found.mse_x:.4f}, MSE_y: {found.mse_y:.4f}, "
        f"MSE_v: {found.mse_v:.4f}"
    )
