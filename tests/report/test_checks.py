"""The table of checks: unique, documented, and each can be muted."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from aetia.errors import InputError
from aetia.report import CHECKS, KINDS, GraphAnswers, findings
from aetia.report.checks import checks_page
from aetia.report.checks.table import check
from aetia.report.checks.training import TRAINING_TITLES
from aetia.results import GraphPosterior
from aetia.training import diagnosis

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def answers():
    graphs = np.zeros((3, 2, 2), dtype=bool)
    weights = np.log(np.full(3, 1 / 3))
    return GraphAnswers(GraphPosterior(graphs=graphs, log_weights=weights, names=("a", "b")))


def test_the_page_of_the_documentation_is_current():
    """If not: write what ``checks_page()`` returns to docs/checks.md."""
    assert (DOCS / "checks.md").read_text(encoding="utf-8") == checks_page()


def test_every_check_has_a_title_advice_and_a_kind():
    for code, entry in CHECKS.items():
        assert code == entry.code
        assert re.fullmatch(r"A[EFGS]\d{3}", code)
        assert entry.kind in KINDS
        assert len(entry.advice) > 30, code
        assert entry.title
        assert f"| {code} | {entry.title} |" in checks_page()


def test_a_code_belongs_to_one_check():
    with pytest.raises(ValueError, match="AE001 is the code of another check, 'Cycles'"):
        check("AE001", "Another", kind="graph", severity="look")
    assert not set(CHECKS) & set(TRAINING_TITLES)


def test_the_rules_of_trainings_have_titles_here():
    used = set(re.findall(r'"(AH\d{3})"', Path(diagnosis.__file__).read_text()))
    assert used == set(TRAINING_TITLES)


def test_findings_are_sorted_have_titles_and_stay_within_their_severity(answers):
    found = findings("graph", answers)
    assert [f.code for f in found] == ["AE002", "AE001"]
    assert found[0].verdict == "bad"
    assert found[0].title == "Number of draws"
    order = ("good", "look", "bad")
    assert all(order.index(f.verdict) <= order.index(CHECKS[f.code].severity) for f in found)


def test_a_muted_check_is_not_applied(answers):
    assert [f.code for f in findings("graph", answers, mute=["AE002"])] == ["AE001"]
    with pytest.raises(InputError, match=r"no check has the code 'AE003x'\. Did you mean"):
        findings("graph", answers, mute=["AE003x"])
