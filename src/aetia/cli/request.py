"""What the user asked a verb for."""

from __future__ import annotations

from types import SimpleNamespace

__all__ = ["Request"]


class Request(SimpleNamespace):
    """Every option of a verb under the name of its argument, as the command line read it."""
