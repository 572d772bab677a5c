"""Files and run folders that earlier versions wrote are still read, and say what they said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from aetia.cli.main import main
from aetia.report import rebuild_report
from aetia.training.checkpoints import list_checkpoints, load_checkpoint
from saved.reading import NUMBERS

HERE = Path(__file__).parent
EXPECTED = json.loads((HERE / "expected.json").read_text())
ON_THE_PAGE = {
    "run-discover": ("Causes in plant.csv", "heat", "valve"),
    "run-series": ("Causes in log.csv", "heat", "valve"),
    "run-series-neural": ("Causes in log.csv", "heat", "valve"),
    "run-effect": ("drug", "health", "trial.csv"),
    "run-impute": ("holes.csv", "heat"),
    "run-generate-bgm": ("holes.csv", "heat", "visits"),
    "run-generate-dddm": ("holes.csv", "heat", "site", "visits"),
    "run-diffusion": ("MMD", "<img"),
    "run-experiment": ("ood_periodic",),
}
"""What the report says, whatever its layout."""


def same(found: Any, expected: Any) -> None:
    """Compare plain values; numbers to what other processors and libraries change."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            same(found[key], expected[key])
    elif isinstance(expected, list) and expected and isinstance(expected[0], float):
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
    else:
        assert found == expected


@pytest.fixture
def copied(request, tmp_path) -> Path:
    """Copy a folder, so that nothing is written here."""
    return Path(shutil.copytree(HERE / request.param, tmp_path / "run"))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", NUMBERS)
def test_saved_results_and_models_answer_as_they_did(name, tmp_path):
    path = Path(shutil.copytree(HERE / name, tmp_path / "saved"))
    before = sorted(p.name for p in path.rglob("*"))
    same(json.loads(json.dumps(NUMBERS[name](path))), EXPECTED[name])
    assert sorted(p.name for p in path.rglob("*")) == before, "reading wrote something"


@pytest.mark.parametrize("copied", ON_THE_PAGE, indirect=True)
def test_reports_are_made_again_from_run_folders(copied, request):
    page = rebuild_report(copied)
    assert page.parent == copied
    html = page.read_text()
    assert html.lstrip().lower().startswith("<!doctype html>")
    if page.name == "report.html":  # 0.1.0 made of an experiment the page of its training alone
        for words in ON_THE_PAGE[request.node.callspec.params["copied"]]:
            assert words in html
    if (copied / "health.jsonl").is_file():
        assert "<img" in (copied / "health.html").read_text()


@pytest.mark.parametrize("copied", ["run-experiment"], indirect=True)
def test_a_checkpoint_is_read(copied):
    (file,) = list_checkpoints(copied / "checkpoints")
    found = load_checkpoint(file)
    assert found["progress"]["step"] == 4
    assert all(v.isfinite().all() for v in found["module"].values())


@pytest.mark.parametrize("copied", ["run-experiment"], indirect=True)
def test_a_finished_experiment_trains_and_predicts_nothing_anew(copied, no_pictures):
    watched = [*copied.glob("checkpoints/*"), *copied.glob("inference/*/*")]
    times = {file: file.stat().st_mtime_ns for file in watched}
    words = json.loads((HERE / "commands.json").read_text())["run-experiment"]
    before = json.loads((copied / "metrics.json").read_text())
    assert main([*words, f"hydra.run.dir={copied}"]) == 0
    after = json.loads((copied / "metrics.json").read_text())
    now = [*copied.glob("checkpoints/*"), *copied.glob("inference/*/*")]
    assert {file: file.stat().st_mtime_ns for file in now} == times
    for family, values in before["families"].items():
        numbers = {k: v for k, v in values.items() if isinstance(v, float)}
        assert {k: after["families"][family][k] for k in numbers} == pytest.approx(numbers)
