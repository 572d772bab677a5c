"""Effects from weights that were drawn with each graph: sums over paths, variance parts, files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aetia.discovery import ExactPosterior
from aetia.errors import InputError
from aetia.results import GraphPosterior
from aetia.results.drawn_weights import (
    drawn_total_effects,
    parent_numbers,
    path_keys,
    share_between_graphs,
)

NAMES = ("a", "b", "c", "d")


def random_draws(n, d, seed, share=0.5):
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.random((n, d, d)) < share, 1)
    order = np.stack([rng.permutation(d) for _ in range(n)])
    graphs = np.stack([g[p][:, p] for g, p in zip(upper, order, strict=True)])
    return graphs, graphs * rng.normal(size=(n, d, d))


def posterior_of(graphs, weights, log_weights=None, **facts):
    n = len(graphs)
    return GraphPosterior(
        graphs=graphs,
        log_weights=np.full(n, -np.log(n)) if log_weights is None else log_weights,
        names=NAMES[: graphs.shape[-1]],
        parameters={"weights": weights},
        diagnostics={"method": "by hand", **facts},
    )


def along_paths(weights, i, j):
    """Sum the products along all directed paths, by recursion."""
    if i == j:
        return 1.0
    return sum(weights[i, k] * along_paths(weights, k, j) for k in weights[i].nonzero()[0])


def paths_of(graph, i, j):
    if i == j:
        return [(j,)]
    return [(i, *rest) for k in graph[i].nonzero()[0] for rest in paths_of(graph, k, j)]


@given(st.integers(0, 2**31))
def test_effects_are_sums_over_directed_paths(seed):
    graphs, weights = random_draws(4, 4, seed)
    found = drawn_total_effects(torch.from_numpy(graphs), torch.from_numpy(weights)).numpy()
    for s in range(4):
        expected = [[along_paths(weights[s], i, j) for j in range(4)] for i in range(4)]
        off = ~np.eye(4, dtype=bool)
        np.testing.assert_allclose(found[s][off], np.array(expected)[off], atol=1e-12)
        for i, j in np.argwhere(off):
            if not paths_of(graphs[s], i, j):
                assert found[s, i, j] == 0.0


@given(st.integers(0, 2**31))
def test_keys_are_equal_exactly_where_the_parents_on_the_paths_are(seed):
    graphs, _ = random_draws(40, 4, seed)
    dags = torch.from_numpy(graphs)
    reached = torch.stack([_reach(g) for g in graphs])
    keys = path_keys(parent_numbers(dags), reached, 0, 3).tolist()
    parts = []
    for g in graphs:
        on_path = {v for path in paths_of(g, 0, 3) for v in path[1:]}
        parts.append(frozenset((p, v) for v in on_path for p in g[:, v].nonzero()[0].tolist()))
    assert [[a == b for b in keys] for a in keys] == [[a == b for b in parts] for a in parts]
    assert all((key == 0) == (not part) for key, part in zip(keys, parts, strict=True))


def _reach(graph):
    total = power = graph.astype(float)
    for _ in range(3):
        power = power @ graph
        total = total + power
    return torch.from_numpy(total > 0)


def test_the_variance_is_split_without_bias():
    """Two graphs with a path and one without, 20 draws each time: mean share of the graph.

    Effects are N(1, 1) under the first graph, N(3, 1) under the second, 0 under the third, with
    probabilities .4, .2 and .4. The mean of between = share x variance over 4,000 tables of draws
    is within 4.5 standard errors of the true 1.24 (the variance of group means would give more).
    """
    rng = np.random.default_rng(0)
    keys = torch.tensor([1] * 8 + [2] * 4 + [0] * 8)
    p = torch.full((20,), 1 / 20, dtype=torch.float64)
    centre = np.array([1.0] * 8 + [3.0] * 4 + [0.0] * 8)
    between = []
    for _ in range(4000):
        effects = torch.from_numpy(centre + rng.normal(size=20) * (centre > 0))
        variance = float(effects.var(correction=1))
        between.append(variance * share_between_graphs(effects, keys, p))
    true = np.var(centre, ddof=1)
    error = np.std(between) / np.sqrt(len(between))
    assert abs(np.mean(between) - true) < 4.5 * error + 0.02 * true  # the share is cut at 0 and 1


def test_draws_without_equals_leave_the_split_unknown():
    effects = torch.tensor([1.0, 2.0, 3.0, 0.0], dtype=torch.float64)
    p = torch.full((4,), 0.25, dtype=torch.float64)
    assert np.isnan(share_between_graphs(effects, torch.tensor([1, 2, 3, 0]), p))
    assert share_between_graphs(effects, torch.tensor([1, 1, 1, 0]), p) < 1.0
    assert np.isnan(share_between_graphs(torch.zeros(4).double(), torch.tensor([0, 0, 0, 0]), p))
    graphs, weights = random_draws(3, 4, seed=1, share=1.0)
    effect = posterior_of(graphs, weights).effect("a", "b")
    assert effect.graph_variance is None or np.isfinite(effect.graph_variance).all()
    assert effect.best_graph is None
    assert "EffectPosterior" in repr(effect)


def test_effects_are_those_of_the_draws():
    graphs, weights = random_draws(600, 3, seed=2)
    posterior = posterior_of(graphs, weights)
    effect = posterior.effect("a", "c", treated=3.0, control=1.0)
    total = 2.0 * np.linalg.inv(np.eye(3) - weights)[:, 0, 2]
    np.testing.assert_allclose(np.sort(effect.draws[:, 0]), np.sort(total), atol=1e-12)
    assert effect.probability_of_effect == pytest.approx(posterior.path_probability("a", "c"))
    assert effect.sign_probabilities.zero[0] == pytest.approx((effect.draws == 0).mean())
    parts = effect.variance_parts
    assert 0 <= parts.graph[0] <= effect.sd[0] ** 2
    several = posterior.effect("a", ["b", "c"], doses=[1.0, 2.0])
    assert several["b"].draws.shape == (600, 2)
    np.testing.assert_allclose(several["c"].draws[:, 1], 2 * several["c"].draws[:, 0])
    few = posterior.effect("a", "c", n_draws=50)
    assert few.draws.shape == (50, 1)


def test_unequal_weights_are_heeded():
    graphs, weights = random_draws(400, 3, seed=3)
    p = np.random.default_rng(0).dirichlet(np.ones(400))
    posterior = posterior_of(graphs, weights, np.log(p))
    total = np.linalg.inv(np.eye(3) - weights)[:, 0, 2]
    effect = posterior.effect("a", "c", n_draws=20_000)
    assert effect.mean[0] == pytest.approx(p @ total, abs=0.01)
    row = posterior.total_effects().set_index(["treatment", "outcome"]).loc[("a", "c")]
    assert row["mean"] == pytest.approx(p @ total)
    assert row["zero"] == pytest.approx(1 - effect.probability_of_effect)


def test_all_pairs_are_the_effects_one_by_one():
    graphs, weights = random_draws(500, 4, seed=4)
    spreads = dict.fromkeys(NAMES, (10.0, 2.0))
    posterior = posterior_of(graphs, weights, column_spreads=spreads)
    frame = posterior.total_effects()
    assert len(frame) == 12
    for row in frame.to_dict("records"):
        alone = posterior.effect(
            row["treatment"], row["outcome"], treated=row["treated"], control=row["control"]
        )
        seen = alone.frame().iloc[0]
        for name in ("mean", "sd", "lower", "upper", "negative", "zero", "positive"):
            assert row[name] == pytest.approx(seen[name], abs=1e-9)
        assert row["graph_share"] == pytest.approx(seen["graph_share"], nan_ok=True)
        assert (row["treated"], row["control"]) == (12.0, 10.0)
        assert row["standardised"] == pytest.approx(row["mean"] / 2.0)
    ax, _ = posterior.plot_effects()
    assert ax.get_ylabel() == "treatment"
    plain = posterior_of(graphs, weights).total_effects()
    assert set(plain["treated"]) == {1.0}
    assert plain["standardised"].isna().all()


def test_relabelling_the_columns_relabels_the_effects():
    graphs, weights = random_draws(300, 4, seed=5)
    p = [2, 0, 3, 1]
    first = posterior_of(graphs, weights).total_effects().set_index(["treatment", "outcome"])
    moved = replace(
        posterior_of(graphs[:, p][:, :, p], weights[:, p][:, :, p]),
        names=tuple(NAMES[k] for k in p),
    )
    second = moved.total_effects().set_index(["treatment", "outcome"]).loc[first.index]
    np.testing.assert_allclose(first.astype(float), second.astype(float), atol=1e-9)


@pytest.fixture(scope="module")
def holes():
    rng = np.random.default_rng(6)
    a = 5.0 + 2.0 * rng.normal(size=400)
    b = 0.5 * a + rng.normal(size=400)
    frame = pd.DataFrame({"a": a, "b": b, "c": 3.0 * b + rng.normal(size=400)})
    return frame.mask(rng.random(frame.shape) < 0.1)


def test_a_table_with_missing_cells_has_effects_after_loading_too(holes, tmp_path):
    """Truth a -> b -> c with slopes .5 and 3: within 4.5 posterior sd given a path."""
    known = {"required": ["a -> b", "b -> c"], "forbidden": ["a -> c"]}
    posterior = ExactPosterior(random_state=0).fit(holes, knowledge=known).posterior_
    assert posterior.model is None
    effects = posterior.effect("a", ["b", "c"])
    assert abs(effects["b"].mean[0] - 0.5) < 4.5 * effects["b"].sd[0] < 0.3
    assert abs(effects["c"].mean[0] - 1.5) < 4.5 * effects["c"].sd[0] < 0.9
    assert effects["c"].best_graph_probability == pytest.approx(1.0)
    frame = posterior.total_effects()
    seen = holes.agg(["mean", "std"])
    row = frame.iloc[0]
    assert row["control"] == pytest.approx(seen["a"]["mean"], abs=0.3)
    assert row["treated"] - row["control"] == pytest.approx(seen["a"]["std"], rel=0.1)
    posterior.save(tmp_path / "p")
    back = GraphPosterior.load(tmp_path / "p")
    pd.testing.assert_frame_equal(back.total_effects(), frame)
    assert back.effect("a", "c").draws.tobytes() == posterior.effect("a", "c").draws.tobytes()


def test_few_missing_cells_hardly_change_the_effects(holes):
    """Independent second way: the closed form of the complete rows (about 290 of 400)."""
    whole = ExactPosterior("bge").fit(holes.dropna()).posterior_
    drawn = ExactPosterior("bge", random_state=1).fit(holes).posterior_
    for pair in ("ab", "ac", "bc"):
        first, second = whole.effect(*pair), drawn.effect(*pair)
        assert first.probability_of_effect == pytest.approx(second.probability_of_effect, abs=0.15)
        spread = np.hypot(first.sd[0], second.sd[0])
        assert abs(first.mean_given_path[0] - second.mean_given_path[0]) < 2 * spread


def test_posteriors_without_weights_say_what_to_do():
    graphs, weights = random_draws(5, 3, seed=7)
    facts = {"exact": "augmentation", "likelihood": "block"}
    posterior = replace(posterior_of(graphs, weights, **facts), parameters={})
    for ask in (lambda: posterior.effect("a", "b"), posterior.total_effects):
        with pytest.raises(InputError, match=r"'block' drew none.*completed\(0\)"):
            ask()
    with pytest.raises(InputError, match="neither a closed form"):
        replace(posterior, diagnostics={}).effect("a", "b")
