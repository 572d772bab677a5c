"""Experiments on Weights & Biases: numbers by step, by epoch, and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aetia.errors import MissingDependencyError

__all__ = ["ExperimentTracker", "WandbExperiment"]


class ExperimentTracker:
    """Follows nothing: what experiments use without an account."""

    def steps(self, row: Mapping[str, Any]) -> None:
        """Take the numbers of a step.

        Args:
            row: Numbers by name, with ``step``.
        """

    def epochs(self, prefix: str, row: Mapping[str, Any]) -> None:
        """Take the numbers of an epoch.

        Args:
            prefix: ``"epoch"`` or ``"eval"``.
            row: Numbers by name, with ``epoch``.
        """

    def picture(self, name: str, file: Path) -> None:
        """Take a picture.

        Args:
            name: Name of the picture.
            file: A PNG.
        """

    def close(self) -> None:
        """Finish."""


class WandbExperiment(ExperimentTracker):
    """Sends them to Weights & Biases; ``WANDB_MODE=offline`` keeps them on disk.

    Rows of an epoch come after later steps, so each kind has a counter of its own and the one of
    the service is left alone.

    Args:
        folder: Folder for its files.
        project: Name of the project.
        name: Name of the run; None lets the service choose.
        config: Options of the run.

    Raises:
        MissingDependencyError: If the extra is not installed.
    """

    def __init__(
        self, folder: Path, project: str, name: str | None, config: Mapping[str, Any]
    ) -> None:
        try:
            import wandb  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise MissingDependencyError(
                "Weights & Biases is not installed: pip install 'aetia[tracking]', or leave "
                "--wandb out."
            ) from error
        folder.mkdir(parents=True, exist_ok=True)
        self._image: Any = wandb.Image
        self._run = wandb.init(dir=str(folder), project=project, name=name, config=dict(config))
        self._run.define_metric("train/*", step_metric="step")
        for prefix in ("epoch", "eval"):
            self._run.define_metric(f"{prefix}/*", step_metric="epoch")

    def steps(self, row: Mapping[str, Any]) -> None:
        """Send the numbers of a step.

        Args:
            row: Numbers by name, with ``step``.
        """
        numbers = {f"train/{k}": v for k, v in row.items() if k != "step" and v is not None}
        self._run.log({**numbers, "step": row["step"]})

    def epochs(self, prefix: str, row: Mapping[str, Any]) -> None:
        """Send the numbers of an epoch.

        Args:
            prefix: ``"epoch"`` or ``"eval"``.
            row: Numbers by name, with ``epoch``.
        """
        numbers = {f"{prefix}/{k}": v for k, v in row.items() if k != "epoch" and v is not None}
        self._run.log({**numbers, "epoch": row["epoch"]})

    def picture(self, name: str, file: Path) -> None:
        """Send a picture.

        Args:
            name: Name of the picture.
            file: A PNG.
        """
        self._run.log({f"plots/{name}": self._image(str(file))})

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()
