"""Settings of the whole suite: no global randomness, no deadlines, golden numbers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import matplotlib.figure
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

# The first torch call of a process takes about a second.
settings.register_profile(
    "aetia",
    deadline=None,
    max_examples=40,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("aetia")

# Tests run side by side; two threads each would fight over the cores.
torch.set_num_threads(1)

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(autouse=True)
def global_generators_stay_where_they_are():
    """Fail any test whose code draws from the global generators of torch or NumPy."""
    torch_before = torch.random.get_rng_state()
    numpy_before = np.random.get_state()[1].copy()
    yield
    assert torch.equal(torch.random.get_rng_state(), torch_before), "torch's global generator moved"
    assert np.array_equal(np.random.get_state()[1], numpy_before), "numpy's global state moved"


@pytest.fixture(scope="module", autouse=True)
def pictures_without_a_layout(request):
    """Draw pictures where they stand, outside of the tests about pictures and pages.

    Four fifths of the time of a small run are its pictures, and most of that is the layout, which
    draws all labels twice more to keep them apart.
    """
    if {"plots", "report"} & set(request.path.parts):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matplotlib.figure.Figure, "get_layout_engine", lambda self: None)
        yield


def _leave_out_pictures(patch):
    patch.setattr("aetia.report.sections.blocks.svg_data_uri", lambda figure: "data:,")


@pytest.fixture
def no_pictures(monkeypatch):
    """Make pages without pictures, where a test asks for something else of a run."""
    _leave_out_pictures(monkeypatch)


@pytest.fixture(scope="module")
def no_pictures_in_module():
    """Do so for the fixtures of a module too."""
    with pytest.MonkeyPatch.context() as patch:
        _leave_out_pictures(patch)
        yield


@pytest.fixture(scope="session")
def dibs_golden() -> dict:
    """Golden numbers of DiBS; how they were made is written in the file."""
    return json.loads((GOLDEN / "dibs.json").read_text())


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real data sets that are not part of the project."""
    folder = Path(os.environ.get("AETIA_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no folder with real data sets (set AETIA_TEST_DATA)")
    return folder


def pytest_collection_modifyitems(config, items):
    for item in items:
        if "gpu" in item.keywords and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))
