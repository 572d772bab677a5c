"""What the original prints about the losses of the initialisation, under its names."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["losses_of_the_start"]


def losses_of_the_start(iteration: int, signals: Mapping[str, float]) -> str:
    """Write a line about an iteration.

    Args:
        iteration: Its number.
        signals: Losses of the iteration by name, in the units of the networks.

    Returns:
        The line.
    """
    names = ("g_loss_adv", "e_loss_adv", "l2_loss_z", "l2_loss_x", "sd^2_loss")
    losses = {
        **{name: signals[f"networks/{name}"] for name in names},
        "g_e_loss": signals["networks/loss"],
        "dz_loss": signals["critics/dz_loss"],
        "dx_loss": signals["critics/dx_loss"],
        "d_loss": signals["critics/loss"],
    }
    told = ", ".join(f"{name} [{value:.4f}]" for name, value in losses.items())
    return f"EGM Initialization Iter [{iteration}] : {told}"
