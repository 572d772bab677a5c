"""Other places that follow a run: TensorBoard, Weights & Biases, or a class of the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from aetia.errors import MissingDependencyError

__all__ = ["TRACKERS", "TensorBoardTracker", "Tracker", "WandbTracker"]


@runtime_checkable
class Tracker(Protocol):
    """Follows the numbers of a run."""

    def log(self, row: Mapping[str, float], step: int) -> None:
        """Take the numbers of a step."""
        ...

    def close(self) -> None:
        """Finish."""
        ...


class TensorBoardTracker:
    """Writes event files for TensorBoard.

    Args:
        folder: Where to.

    Raises:
        MissingDependencyError: If the extra is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingDependencyError(
                "TensorBoard is not installed: pip install 'aetia[tracking]'."
            ) from error
        self._writer = SummaryWriter(str(folder))

    def log(self, row: Mapping[str, float], step: int) -> None:
        """Write scalars.

        Args:
            row: Numbers by name.
            step: Step of the run that the numbers belong to.
        """
        for name, value in row.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()


class WandbTracker:
    """Sends numbers to Weights & Biases; ``WANDB_MODE=offline`` keeps them on disk.

    Args:
        folder: Where Weights & Biases keeps its files.
        **options: Further arguments of ``wandb.init``.

    Raises:
        MissingDependencyError: If the extra is not installed.
    """

    def __init__(self, folder: Path, **options: Any) -> None:
        try:
            import wandb  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise MissingDependencyError(
                "Weights & Biases is not installed: pip install 'aetia[tracking]'."
            ) from error
        folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(dir=str(folder), **options)

    def log(self, row: Mapping[str, float], step: int) -> None:
        """Send numbers.

        Args:
            row: Numbers by name.
            step: Step of the run that the numbers belong to.
        """
        self._run.log(dict(row), step=step)

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()


TRACKERS: dict[str, Callable[..., Tracker]] = {
    "tensorboard": TensorBoardTracker,
    "wandb": WandbTracker,
}
"""Name, as in configurations, to tracker."""
