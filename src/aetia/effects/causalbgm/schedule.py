"""How many steps the joint initialisation takes."""

from __future__ import annotations

import math
from typing import Literal

__all__ = ["joint_steps"]


def joint_steps(n_egm_steps: int | Literal["auto"], n: int) -> int:
    """Choose the updates of the generative networks.

    Args:
        n_egm_steps: The option; ``"auto"`` is 1,000, rising with the root of the number of units
            from 1,000 units on, to at most 2,000.
        n: Units of the study.

    Returns:
        A number.
    """
    if n_egm_steps != "auto":
        return n_egm_steps
    return int(min(max(1000 * math.sqrt(n / 1000), 1000), 2000))
