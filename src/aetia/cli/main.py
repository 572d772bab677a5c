"""The command line: verbs that call the public API; heavy imports sit inside them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words after ``aetia``; None takes those of the process.

    Returns:
        0 done, 2 the caller's mistake, 1 ours; the process exits with it.
    """
    from aetia.cli.app import app

    try:
        # Without its standalone mode the parser returns the code of an interruption or exit.
        returned = app(args=None if arguments is None else list(arguments), standalone_mode=False)
        code = int(returned or 0)
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except SystemExit as exit_:  # a verb stopped on purpose
        code = int(exit_.code or 0)
    except Exception as error:
        code = _explain(error)
    if code == _INTERRUPTED:
        print("aetia: interrupted; files written so far are complete.", file=sys.stderr)  # noqa: T201
        code = 1
    if arguments is None:
        sys.exit(code)
    return code


def _explain(error: Exception) -> int:
    """Print a deliberate error as one message; let anything else show its traceback."""
    import typer

    if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # usage, from the parser
        error.show()  # pyright: ignore[reportAttributeAccessIssue]
        return int(error.exit_code)  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(error, typer.Abort):
        return 1
    from aetia.errors import AetiaError, InputError

    if isinstance(error, AetiaError):
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201
        return 2 if isinstance(error, InputError) else 1
    import traceback

    traceback.print_exception(error)
    return 1
