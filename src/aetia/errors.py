"""Errors and warnings of aetia; every deliberate error derives from :class:`AetiaError`."""

from __future__ import annotations

__all__ = [
    "AetiaError",
    "CellTypeError",
    "CheckpointError",
    "ConvergenceError",
    "ConvergenceWarning",
    "DataWarning",
    "FamiliarityWarning",
    "InputError",
    "MissingDependencyError",
    "NumericalError",
    "ResultFileError",
    "SortabilityWarning",
]


class AetiaError(Exception):
    """Root of all errors that aetia raises on purpose."""


class InputError(AetiaError, ValueError):
    """What the caller passed cannot be used; the message says what to do next."""


class CellTypeError(InputError, TypeError):
    """A cell of the table holds something that is neither a number nor text."""


class MissingDependencyError(AetiaError, ImportError):
    """An optional package is needed; the message names the extra that brings it."""


class NumericalError(AetiaError, ArithmeticError):
    """A computation produced NaN or infinity; the message says where and what to change."""


class ConvergenceError(AetiaError, RuntimeError):
    """Inference ended without a usable answer; the message says what to change."""


class CheckpointError(AetiaError, OSError):
    """A checkpoint or a file of weights is missing, truncated, changed or not ours."""


class ResultFileError(AetiaError, OSError):
    """A saved result is missing, truncated or not ours."""


class DataWarning(UserWarning):
    """The table is usable, but something in it deserves a look."""


class SortabilityWarning(DataWarning):
    """Column scales alone sort the variables: simulated data, or a scaling artefact."""


class FamiliarityWarning(DataWarning):
    """The table does not look like what a pre-trained network has seen."""


class ConvergenceWarning(UserWarning):
    """Inference ended, but its diagnostics are outside the healthy range."""
