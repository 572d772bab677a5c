"""Warnings of the library as lines for people."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import typer

__all__ = ["echo_warnings"]


def echo_warnings(caught: Sequence[warnings.WarningMessage]) -> list[str]:
    """Print the library's own warnings to stderr, each once, and return their texts."""
    ours = [w for w in caught if w.category.__module__.startswith("aetia")]
    messages = list(dict.fromkeys(str(w.message) for w in ours))
    for message in messages:
        typer.echo(f"warning: {message}", err=True)
    return messages
