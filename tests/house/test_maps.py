"""The maps of the house show what is there, and nothing that is not."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "aetia"
MAPS = [ROOT / "CONTRIBUTING.md", ROOT / "docs" / "walks.md"]


def named_files(text: str) -> list[str]:
    return re.findall(r"`((?:\w+/)*\w+\.(?:py|toml|md)|(?:\w+/)+)`", text)


def exists(name: str) -> bool:
    """Look in the package and beside it; a bare name may lie in any room."""
    if (PACKAGE / name).exists() or (ROOT / name).exists():
        return True
    return "/" not in name and any(PACKAGE.rglob(name))


@pytest.mark.parametrize("page", MAPS, ids=lambda p: p.name)
def test_every_file_that_a_map_names_is_there(page):
    names = named_files(page.read_text(encoding="utf-8"))
    assert len(names) > 5
    gone = [n for n in names if "NAME" not in n and n != "utils.py" and not exists(n)]
    assert gone == []


def test_the_table_shows_every_room_and_every_method():
    shown = set(re.findall(r"`(\w+)", MAPS[0].read_text(encoding="utf-8")))
    rooms = {p.name for p in PACKAGE.iterdir() if (p / "__init__.py").exists()}
    methods = {
        p.name
        for room in ("discovery", "effects", "generation")
        for p in (PACKAGE / room).iterdir()
        if (p / "__init__.py").exists()
    }
    ground = {p.stem for p in PACKAGE.glob("*.py") if not p.stem.startswith("__")}
    assert (rooms | methods | ground) - shown == set()


def test_floors_are_those_that_are_enforced():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = contracts["tool"]["importlinter"]["contracts"][0]["layers"]
    enforced = [{part.strip().split(".")[1] for part in layer.split("|")} for layer in layers]
    shown: list[set[str]] = []
    for floor, rooms in re.findall(r"^\| *(\d*) *\| ([^|]*) \|", MAPS[0].read_text(), re.MULTILINE):
        if floor:
            shown.append(set())
        if shown:
            shown[-1] |= set(re.findall(r"`(\w+)`", rooms))
    assert shown == enforced
