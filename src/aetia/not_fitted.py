"""One behaviour of every estimator that is asked a question before ``fit``."""

from __future__ import annotations

from typing import Any

from sklearn import exceptions

from aetia.errors import InputError

__all__ = ["NotFittedError", "check_fitted"]


class NotFittedError(InputError, exceptions.NotFittedError):
    """An estimator was asked a question before it was fitted; scikit-learn's class knows it too."""


def check_fitted(estimator: Any, attribute: str, *, call: str = "fit") -> None:
    """Refuse an estimator that is not fitted.

    Args:
        estimator: Any estimator.
        attribute: Name of an attribute that only ``fit`` sets.
        call: What to call first, for the message.

    Raises:
        NotFittedError: If the attribute is not there.
    """
    if not hasattr(estimator, attribute):
        name = type(estimator).__name__
        raise NotFittedError(f"this {name} is not fitted yet; call {call} first.")
