"""Pairs of variables: adjacency and direction, by hand, and the text that shows them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetia.results import GraphPosterior
from aetia.results.adjacency_table import adjacency_line, short_probability
from small_posteriors import graph, random_posterior, relabelled


@pytest.fixture
def pair():
    """Two variables: a -> b .55, b -> a .43, not adjacent .02."""
    return GraphPosterior(
        graphs=np.stack([graph(2, (0, 1)), graph(2, (1, 0)), graph(2)]),
        log_weights=np.log([0.55, 0.43, 0.02]),
        names=("a", "b"),
        diagnostics={"method": "ExactPosterior"},
    )


def test_an_open_direction_is_shown_beside_the_adjacency(pair):
    (row,) = pair.adjacency_table().to_dict("records")
    assert (row["a"], row["b"], row["decided"]) == ("a", "b", "open")
    np.testing.assert_allclose([row["adjacent"], row["a_to_b"], row["b_to_a"]], [0.98, 0.55, 0.43])
    assert "  adjacent .98: a -> b .55, b -> a .43" in repr(pair).splitlines()
    assert "<td>.98</td><td>.55</td><td>.43</td><td>open</td>" in pair._repr_html_()


@pytest.mark.parametrize(("share", "decided"), [(0.9, "b -> a"), (0.899, "open"), (1.0, "b -> a")])
def test_a_direction_is_decided_by_its_share_of_the_adjacency(share, decided):
    """Adjacent with probability one half only: the share counts, not the probability."""
    back, forth = 0.5 * share, 0.5 * (1 - share)
    p = np.array([[0.0, forth], [back, 0.0]])
    posterior = GraphPosterior(
        graphs=graph(2)[None], log_weights=np.zeros(1), names=("a", "b"), edge_marginals=p
    )
    table = posterior.adjacency_table()
    assert list(table["a"]) == ["b"]
    assert list(table["decided"]) == [decided]
    assert posterior.adjacency_table(threshold=0.51).empty


@given(st.integers(0, 10_000))
def test_pairs_agree_with_the_matrix_and_do_not_depend_on_labels(seed):
    posterior = random_posterior(seed)
    p = posterior.to_frame()
    table = posterior.adjacency_table()
    assert table["adjacent"].is_monotonic_decreasing
    assert len(table) == np.triu((p.to_numpy() + p.to_numpy().T) > 0).sum()
    for r in table.to_dict("records"):
        assert r["a_to_b"] == p.loc[r["a"], r["b"]]
        assert r["b_to_a"] == p.loc[r["b"], r["a"]]
        assert r["a_to_b"] >= r["b_to_a"] - 1e-12
        assert r["adjacent"] == pytest.approx(r["a_to_b"] + r["b_to_a"])
    other = relabelled(posterior, np.random.default_rng(seed).permutation(4)).adjacency_table()
    key = {frozenset((r["a"], r["b"])): r["adjacent"] for r in other.to_dict("records")}
    assert key == pytest.approx(
        {frozenset((r["a"], r["b"])): r["adjacent"] for r in table.to_dict("records")}
    )


def test_marginals_of_independent_edges_never_add_up_to_more_than_one():
    p = np.array([[0.0, 0.7], [0.6, 0.0]])
    posterior = GraphPosterior(
        graphs=graph(2)[None], log_weights=np.zeros(1), names=("a", "b"), edge_marginals=p
    )
    assert list(posterior.adjacency_table()["adjacent"]) == [1.0]


def test_time_decides_the_direction_of_lagged_edges():
    within = np.stack([graph(2, (0, 1)), graph(2, (1, 0))])
    lagged = np.stack([graph(2, (1, 0)), graph(2, (1, 0))])[:, None]
    lagged[:, :, 0, 0] = True  # own past
    posterior = GraphPosterior(
        graphs=within, log_weights=np.log([0.5, 0.5]), names=("x", "y"), lagged=lagged
    )
    table = posterior.adjacency_table()
    assert list(zip(table["lag"], table["decided"], strict=True)) == [(0, "open"), (1, "y -> x")]
    np.testing.assert_allclose(table["adjacent"], [1.0, 1.0])
    edges = posterior.edge_table().set_index(["source", "target", "lag"])
    assert edges.loc[("x", "y", 0), "reverse_probability"] == pytest.approx(0.5)
    assert edges.loc[("y", "x", 1), "reverse_probability"] == 0.0
    assert edges.loc[("x", "x", 1), "adjacent"] == pytest.approx(1.0)
    assert "  y -> x (lag 1) 1" in repr(posterior).splitlines()


def test_numbers_near_the_ends_never_look_certain():
    assert [short_probability(p) for p in (0, 0.001, 0.01, 0.5, 0.994, 0.9999, 1)] == [
        "0", "<.01", ".01", ".50", ".99", ">.99", "1",
    ]  # fmt: skip
    row = {"a": "x", "b": "y", "adjacent": 0.9999, "a_to_b": 0.9999, "b_to_a": 0.0}
    assert adjacency_line(row) == "adjacent >.99: x -> y >.99"


@pytest.mark.parametrize(
    ("diagnostics", "doubted"),
    [
        ({"method": "ExactPosterior"}, None),
        ({"method": "ExactPosterior", "exact": "enumeration"}, None),
        ({"method": "ExactPosterior", "exact": "order programme", "ess": 4_000.0}, None),
        ({"method": "ExactPosterior", "exact": "order programme", "ess": 7.0}, "7.0 effective"),
        ({"method": "DiBS"}, "effective draws"),
        ({"method": "AVICI", "familiarity": 0.5}, None),
        ({"method": "AVICI", "familiarity": 8.0}, "8 times further"),
        ({"method": "OrderMCMC", "ess": 900.0, "converged": True}, None),
        (
            {"method": "OrderMCMC", "ess": 900.0, "converged": False, "rhat_max": 1.7,
             "worst_edges": ["a -> b"]},
            r"not converged (largest R-hat 1.7; worst: a -> b)",
        ),
        ({"method": "OrderMCMC", "ess": 900.0, "missing": {"converged": False}}, "missing cells"),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_trusted_says_so_in_its_first_lines(pair, diagnostics, doubted):
    posterior = replace(pair, diagnostics=diagnostics)
    second = repr(posterior).splitlines()[1]
    assert ("DO NOT RELY" in second) == (doubted is not None)
    assert ("Do not rely" in posterior._repr_html_()) == (doubted is not None)
    if doubted:
        assert doubted in second


def test_few_resamples_are_coarse_and_not_wrong(pair):
    assert "RELY" not in repr(replace(pair, kind="resampling", diagnostics={"method": "RCGNN"}))
