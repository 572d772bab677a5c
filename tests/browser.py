"""Pages opened in headless Chromium, on a screen of some width."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Page(NamedTuple):
    scroll_width: int
    n_images: int
    n_broken: int
    has_errors: bool
    picture: Path


def open_page(report: Path, folder: Path, width: int) -> Page:
    """Show the page in a frame of the given width: headless windows are never narrower than 500."""
    probe = folder / "probe.html"
    probe.write_text(
        f'<!doctype html><iframe id="f" style="width:{width}px;height:900px;border:0" '
        f'srcdoc="{_escaped(report.read_text())}"></iframe><script>'
        'document.getElementById("f").onload = e => { const d = e.target.contentDocument;'
        " const bad = [...d.images].filter(i => !i.complete || !i.naturalWidth).length;"
        ' document.title = d.documentElement.scrollWidth + " " + d.images.length + " " + bad; }'
        "</script>"
    )
    done = _run(
        folder / "profile",
        ["--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom", probe.as_uri()],
    )
    found = re.search(r"<title>(\d+) (\d+) (\d+)</title>", done.stdout)
    assert found, done.stderr[-500:]
    picture = folder / "page.png"
    window = [f"--window-size={max(width, 500)},2000", f"--screenshot={picture}"]
    _run(folder / "profile2", [*window, report.resolve().as_uri()])
    scroll, images, broken = map(int, found.groups())
    return Page(scroll, images, broken, "CONSOLE" in done.stderr, picture)


def _run(profile: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


def _escaped(html: str) -> str:
    return html.replace("&", "&amp;").replace('"', "&quot;")
