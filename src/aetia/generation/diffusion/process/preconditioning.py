r"""How much of a denoised value is the noised one, and how much the network's.

.. math:: \hat x_0 = c_{skip}(t) x_t + c_{out}(t) F_\theta(t, x_t)
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from aetia.generation.diffusion.process.schedule import NoiseSchedule

__all__ = ["skip_weights"]


def skip_weights(
    schedule: NoiseSchedule, t: Float[Tensor, " n"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Compute the weights of x_t and of the network (Karras et al., 2022, for unit variance).

    Args:
        schedule: alpha and sigma.
        t: Times.

    Returns:
        c_skip and c_out.
    """
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    square = alpha.square() + sigma.square()
    return alpha / square, sigma / square.sqrt()
