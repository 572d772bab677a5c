"""Every Python block and every command of the documentation runs."""

from __future__ import annotations

import re
import shlex
import warnings
from pathlib import Path

import pytest

from aetia.cli.main import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_the_python_blocks_of_a_page_run_one_after_the_other(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for block in blocks(page, "python"):
            exec(compile(block, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_the_aetia_commands_of_a_page_run_in_order(
    page, no_pictures, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "console"):
        for line in block.splitlines():
            if line.startswith("aetia "):
                assert main(shlex.split(line)[1:]) == 0, line


def test_the_make_targets_that_the_pages_name_exist():
    makefile = (ROOT / "Makefile").read_text()
    command = re.compile(r"^make ([a-z]+)$|`make ([a-z]+)`", re.MULTILINE)
    pages = [*PAGES, ROOT / "CONTRIBUTING.md"]
    named = {a or b for page in pages for a, b in command.findall(page.read_text())}
    assert named >= {"demo", "test"}
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_links_between_pages_lead_somewhere():
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} -> {link}"


def test_the_three_node_chain_is_found_by_the_example(capsys):
    namespace: dict = {"__name__": "example"}
    source = ROOT / "docs" / "examples" / "three_node_chain.py"
    exec(compile(source.read_text(), str(source), "exec"), namespace)
    posterior = namespace["main"]()
    graph = posterior.graphs[posterior.log_weights.argmax()]
    assert graph.tolist() == [[False, True, False], [False, False, True], [False] * 3]
    assert "coefficient -1." in capsys.readouterr().out
