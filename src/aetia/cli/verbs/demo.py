"""The verb ``demo``."""

from __future__ import annotations

from pathlib import Path

from aetia.cli import options as o


def demo(
    out: o.Out = Path("demo-run"),
    seed: o.Seed = 0,
    mute: o.Mute = None,
    as_json: o.Json = False,
    progress: o.Progress = None,
    force: o.Force = False,
) -> None:
    """Find causes in a bundled table of diabetes patients.

    It takes less than a minute, offline, and shows what `discover` writes: tables and a report.
    """
    given = locals()
    from functools import partial
    from inspect import signature

    from aetia.cli.discovering import discovery_job
    from aetia.cli.request import Request
    from aetia.cli.runner import run
    from aetia.cli.verbs.discover import discover
    from aetia.graphs import Knowledge

    asked = {name: p.default for name, p in signature(discover).parameters.items()} | given
    asked["table"] = "diabetes"
    asked["effect"] = ["bmi -> progression", "blood_pressure -> progression"]
    knowledge = Knowledge(roots=("age", "sex"), sinks=("progression",))
    title = "What drives diabetes progression?"
    run(Request(**asked), partial(discovery_job, knowledge=knowledge, title=title))
