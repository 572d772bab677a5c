"""Graphs of time series leave the posterior with their lags, and need not be acyclic."""

import networkx as nx
import numpy as np
import pytest

from aetia.errors import InputError
from aetia.graphs import Knowledge
from aetia.results import GraphPosterior

NAMES = ("flow", "heat", 'valve "A"')


@pytest.fixture
def cyclic():
    """Feedback through time: flow -> heat within the step, heat -> flow a step later; pasts."""
    within, lagged = np.zeros((4, 3, 3), dtype=bool), np.zeros((4, 2, 3, 3), dtype=bool)
    within[:, 0, 1] = True
    lagged[:3, 0, 1, 0] = True
    lagged[:2, 1, 0, 1] = True  # lag 2, half of the time
    lagged[:1, 0, 2, 1] = True  # a quarter
    lagged[:, 0, [0, 1, 2], [0, 1, 2]] = True
    return GraphPosterior(
        graphs=within,
        lagged=lagged,
        log_weights=np.full(4, -np.log(4)),
        names=NAMES,
        kind="resampling",
        diagnostics={"method": "RCGNN"},
    )


def test_networkx_holds_the_summary_graph_with_lags(cyclic):
    found = cyclic.to_networkx()
    assert {(a, b): f["lags"] for a, b, f in found.edges(data=True)} == {
        ("flow", "heat"): [0, 2],
        ("heat", "flow"): [1],
    }
    assert found["heat"]["flow"]["probability"] == 0.75
    assert not nx.is_directed_acyclic_graph(found)
    assert list(found.nodes) == list(NAMES)


def test_an_edge_spread_over_lags_is_drawn_at_its_most_frequent_one():
    within, lagged = np.zeros((5, 2, 2), dtype=bool), np.zeros((5, 2, 2, 2), dtype=bool)
    lagged[:3, 0, 0, 1] = True
    lagged[3:, 1, 0, 1] = True
    posterior = GraphPosterior(
        graphs=within, lagged=lagged, log_weights=np.zeros(5), names=("a", "b")
    )
    found = posterior.to_networkx(threshold=0.9)
    assert found["a"]["b"] == {"probability": pytest.approx(1.0), "lags": [1]}
    assert posterior.to_networkx(threshold=0.4)["a"]["b"]["lags"] == [1, 2]


def test_a_frequency_at_the_threshold_counts_whatever_rounding_says():
    for n in (3, 7, 10, 50):
        graphs = np.zeros((n, 2, 2), dtype=bool)
        graphs[:, 0, 1] = True
        posterior = GraphPosterior(
            graphs=graphs,
            lagged=np.zeros((n, 1, 2, 2), dtype=bool),
            log_weights=np.full(n, -np.log(n)),
            names=("a", "b"),
        )
        assert posterior.to_networkx(threshold=1.0).has_edge("a", "b")


def test_required_edges_are_in_whatever_their_frequency(cyclic):
    from dataclasses import replace

    known = replace(cyclic, knowledge=Knowledge(required=[('valve "A"', "heat")]))
    assert known.to_networkx().has_edge('valve "A"', "heat")
    assert not cyclic.to_networkx().has_edge('valve "A"', "heat")


def test_gml_comes_back_with_lags_as_text(cyclic):
    back = nx.parse_gml(cyclic.to_gml())
    assert set(back.nodes) == set(NAMES)
    assert back["flow"]["heat"]["lags"] == "0,2"
    assert back["heat"]["flow"]["lags"] == "1"
    assert cyclic.to_networkx()["flow"]["heat"]["lags"] == [0, 2]  # the graph keeps its list


def test_dot_dashes_edges_that_are_only_lagged(cyclic):
    lines = cyclic.to_dot().splitlines()
    within, lagged = (
        next(x for x in lines if x.strip().startswith(f'"{a}" ->')) for a in ("flow", "heat")
    )
    assert "lag 0,2" in within
    assert "dashed" not in within
    assert "lag 1" in lagged
    assert "dashed" in lagged


def test_dowhy_is_refused_with_the_way_out(cyclic):
    with pytest.raises(InputError, match="to_networkx"):
        cyclic.to_dowhy()


def test_xarray_has_the_lagged_draws(cyclic):
    data = cyclic.to_xarray()
    assert data["lagged"].dims == ("draw", "lag", "source", "target")
    assert data["lag"].values.tolist() == [1, 2]
    assert bool(data["lagged"].sel(lag=1, source="heat", target="flow")[0])


def test_what_is_printed_names_lags_and_leaves_own_pasts_out(cyclic):
    text, html = repr(cyclic), cyclic._repr_html_()
    assert "heat -> flow (lag 1) .75" in text
    assert "flow -> flow" not in text
    assert "2.0 edges expected at any lag" in text
    assert "selection frequencies" in html
    assert "<th>lag</th>" in html
    assert "valve &quot;A&quot;" in html
    assert "<td>flow</td><td>flow</td>" not in html


def test_plot_draws_every_lag_but_no_own_past(cyclic):
    ax, frame = cyclic.plot(threshold=0.3)
    found = set(zip(frame["source"], frame["target"], frame["lag"], strict=True))
    assert found == {("flow", "heat", 0), ("flow", "heat", 2), ("heat", "flow", 1)}
    ax.figure.canvas.draw()
