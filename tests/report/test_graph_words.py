"""What the page of a graph posterior says, and its findings."""

from dataclasses import replace

import numpy as np
import pytest

from aetia.report import GraphAnswers, RunContext, findings, render_report
from aetia.report.sections.blocks import Table, Words
from aetia.report.sections.graph_answer import directions, graph_in_words, likelihood_line
from aetia.report.sections.graph_classes import classes, experiments
from aetia.results import GraphPosterior, RunFacts
from small_posteriors import graph


@pytest.fixture
def three():
    """Chain and fork over a, b, c of .3 each, a collider of .4; a and b are always adjacent."""
    graphs = [graph(3, (0, 1), (1, 2)), graph(3, (1, 0), (1, 2)), graph(3, (0, 1), (2, 1))]
    return GraphPosterior(
        graphs=np.stack(graphs),
        log_weights=np.log([0.3, 0.3, 0.4]),
        names=("a", "b", "c"),
        diagnostics={"exact": "enumeration"},
        facts=RunFacts(method="exact"),
    )


def page(posterior):
    return render_report("graph", GraphAnswers(posterior), RunContext(title="t"))


def test_decided_and_open_directions_are_listed(three):
    decided, open_ = directions(three)
    assert decided == []
    assert open_ == ["a – b .70 / .30", "b – c .60 / .40"]
    sure = replace(three, log_weights=np.log([0.02, 0.02, 0.96]))
    assert directions(sure)[0] == ["a → b .98", "c → b .96"]
    assert "every direction is open" in graph_in_words(three)[0]
    assert "no direction is open" in graph_in_words(sure)[0]


def words_of(section):
    return [b.text for b in section.blocks if isinstance(b, Words)]


def rows_of(section):
    return [row for b in section.blocks if isinstance(b, Table) for row in b.rows]


def test_classes_are_described_by_what_differs_from_the_first(three):
    found = classes(three)
    assert words_of(found)[0] == (
        "3 distinct graph(s) fall into 2 Markov equivalence class(es). The 2 shown hold 1 of the "
        "probability."
    )
    assert [r["probability"] for r in rows_of(found)] == [".60", ".40"]
    assert rows_of(found)[0]["edges"] == "a – b, b – c"
    assert rows_of(found)[1]["edges"] == (
        "as the first, but a → b instead of a – b, c → b instead of b – c"
    )


def test_the_best_experiment_is_named_with_what_it_reveals(three):
    (found,) = experiments(three)
    words = words_of(found)[0]
    assert "The uncertainty about the graph is 1.57 bits" in words
    assert "can remove 0.97 of them" in words
    assert "sets b can remove 1.57" in words
    assert [r["set"] for r in rows_of(found)] == ["b", "a", "c"]
    assert [r["beyond rows"] for r in rows_of(found)] == ["0.60", "0.60", "0.00"]


def test_few_draws_rank_experiments_by_directions_and_say_why(three):
    (found,) = experiments(replace(three, diagnostics={}, facts=RunFacts(method="dibs")))
    assert "bits removed" not in rows_of(found)[0]
    assert "too few to measure the entropy" in words_of(found)[1]
    assert rows_of(found)[0]["set"] == "b"


def test_a_settled_graph_asks_for_no_experiment(three):
    settled = replace(three, log_weights=np.array([-np.inf, -np.inf, 0.0]))
    assert experiments(settled) == []
    assert 'id="experiments"' not in page(settled)
    assert 'id="experiments"' in page(three)


def test_doubts_stand_before_the_answer(three):
    html = page(replace(three, diagnostics={}, facts=RunFacts(method="dibs")))
    assert 0 < html.index("Do not rely on this answer") < html.index('id="answer"')
    assert "Do not rely" not in page(three)


def test_the_likelihood_is_named_with_its_reason(three):
    facts = {"likelihood": "bge", "likelihood_reason": "the evidence is higher by 12 nats"}
    assert likelihood_line(facts) == "bge, because the evidence is higher by 12 nats."
    facts["likelihood_reason"] = "By evidence linear; noise is additive."
    assert likelihood_line(facts) == "bge. By evidence linear; noise is additive."
    html = page(replace(three, diagnostics=three.diagnostics | facts))
    assert "Likelihood: bge. By evidence linear" in html
    assert likelihood_line({}) == ""


ORDERS = {"exact": "order programme", "n_draws": 5000, "n_distinct": 3}
CHAINS = {"ess": 1500.0, "rhat_max": 1.3, "share_rhat_below_1_05": 0.91,
          "between_chain_sd_max": 0.12, "worst_edges": ["a -> b", ["b", "c", 1.3]]}  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "code", "verdict", "words"),
    [
        ({"exact": "enumeration", "n_graphs": 25}, "AE002", "good",
         "All 25 graphs"),
        (ORDERS | {"ess": 4211.0, "monte_carlo_error": 0.0077}, "AE002", "good", "4,211"),
        (ORDERS | {"ess": 400.0, "monte_carlo_error": 0.025}, "AE002", "look", "at most 0.025"),
        (ORDERS | {"ess": 4.0, "monte_carlo_error": 0.25}, "AE002", "bad", "size of 4"),
        ({}, "AE002", "bad", "effective size of 2.9"),
        (CHAINS | {"converged": True}, "AE008", "good", "91%"),
        (CHAINS | {"converged": False}, "AE008", "bad", "most about a -> b, b -> c"),
        (CHAINS | {"mass_outside": 0.02}, "AE009", "good", "0.02 expected"),
        (CHAINS | {"mass_outside": 0.7}, "AE009", "look", "more candidates"),
        (CHAINS | {"mass_outside": 2.5}, "AE009", "bad", "2.5 expected"),
        ({"familiarity": 5.0}, "AE007", "bad", "5 times"),
        ({"share_cyclic": 0.5}, "AE001", "bad", "50%"),
        ({"missing": {"n_cells": 1200, "share": 0.1, "converged": True}}, "AE010", "good", "1,200"),
        ({"missing": {"n_cells": 1200, "share": 0.5, "converged": True}}, "AE010", "look", "many"),
        ({"missing": {"n_cells": 9, "share": 0.5, "rhat_max": 3.0, "converged": False}}, "AE010",
         "bad", "R-hat 3"),
        ({"sensitivity": {"prior": "fair", "largest_change": 0.03, "edge": "a -> b"}}, "AE011",
         "good", "more than 0.03 (a -> b)"),
        ({"sensitivity": {"prior": "fair", "largest_change": 0.3, "edge": "a -> b"}}, "AE011",
         "look", "'fair'"),
    ],
)  # fmt: skip
def test_findings_have_stable_codes_and_say_the_numbers(three, facts, code, verdict, words):
    posterior = replace(three, diagnostics=facts)
    all_found = findings("graph", GraphAnswers(posterior))
    (found,) = (f for f in all_found if f.code == code)
    assert found.verdict == verdict
    assert words in found.text
    # Whatever is bad is also said first, in the terminal and on the page.
    is_bad = any(f.verdict == "bad" for f in all_found)
    assert ("DO NOT RELY" in repr(posterior).splitlines()[1]) == is_bad
    html = page(posterior)
    assert ("Do not rely on this answer" in html) == is_bad
    assert code in html


def test_findings_that_are_bad_come_first(three):
    html = page(replace(three, diagnostics=CHAINS | {"converged": False, "n_rows": 12}))
    assert html.index("AE008") < html.index("AE004") < html.index("AE001")
