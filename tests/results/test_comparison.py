"""Every metric of a posterior against a known graph: three nodes by hand, SID by brute force."""

import itertools
import math
import warnings

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aetia.graphs import all_dags, area_under_precision_recall, is_acyclic, sid
from aetia.results.comparison import compare_graphs


def graph(*edges, d=3):
    g = torch.zeros(d, d, dtype=torch.bool)
    for i, j in edges:
        g[i, j] = True
    return g


def compare(truth, draws, weights=None, marginals=None, consensus=None, **options):
    graphs = torch.stack(draws)
    w = torch.tensor(weights or [1 / len(draws)] * len(draws), dtype=torch.float64)
    p = torch.einsum("s,sij->ij", w, graphs.double()) if marginals is None else marginals
    return compare_graphs(
        truth, graphs, w.log(), p, draws[0] if consensus is None else consensus, **options
    )


TRUTH = graph((0, 1), (1, 2))
REVERSED = graph((1, 0), (1, 2))
CLIQUE = graph((0, 1), (1, 2), (0, 2))
EMPTY = graph()


# -- one posterior, worked out by hand ----------------------------------------------------


@pytest.fixture(scope="module")
def scores():
    """Weights .5, .3, .2 on the reversed edge, the clique and the empty graph."""
    return compare(TRUTH, [REVERSED, CLIQUE, EMPTY], [0.5, 0.3, 0.2])


def test_distances_by_hand(scores):
    """SHD 1, 1, 2; with reversals counted twice 2, 1, 2; classes: see below."""
    assert scores["expected_shd"] == pytest.approx(0.5 + 0.3 + 0.4)
    assert scores["expected_shd_per_pair"] == pytest.approx(1.2 / 6)
    assert scores["expected_shd_reversal_2"] == pytest.approx(1.0 + 0.3 + 0.4)
    assert scores["expected_shd_reversal_2_per_pair"] == pytest.approx(1.7 / 6)
    # 0 <- 1 -> 2 is in the class of the truth; the class of the clique has three lines: one more.
    assert scores["expected_cpdag_shd"] == pytest.approx(0.5 * 0 + 0.3 * 1 + 0.2 * 2)
    assert scores["consensus_shd"] == 1


def test_edges_by_hand(scores):
    assert scores["expected_correct"] == pytest.approx(0.5 * 1 + 0.3 * 2)
    assert scores["expected_reversed"] == pytest.approx(0.5)
    assert scores["expected_missing"] == pytest.approx(0.2 * 2)
    assert scores["expected_extra"] == pytest.approx(0.3)
    assert scores["expected_f1"] == pytest.approx(0.5 * 0.5 + 0.3 * 0.8 + 0.2 * 0)
    assert scores["expected_precision"] == pytest.approx(0.5 * 0.5 + 0.3 * 2 / 3 + 0.2 * 1)
    assert scores["expected_recall"] == pytest.approx(0.5 * 0.5 + 0.3 * 1)
    assert scores["expected_skeleton_f1"] == pytest.approx(0.5 * 1 + 0.3 * 0.8)
    # The empty graph shares no edge of the skeleton: it has no orientations to judge.
    assert scores["expected_orientation_accuracy"] == pytest.approx((0.5 * 0.5 + 0.3 * 1) / 0.8)
    assert scores["expected_common_skeleton_edges"] == pytest.approx(0.5 * 2 + 0.3 * 2)
    assert scores["n_edges"] == pytest.approx(0.5 * 2 + 0.3 * 3)
    assert scores["n_edges_true"] == 2
    assert scores["edge_ratio"] == pytest.approx(1.9 / 2)


def test_ancestors_by_hand(scores):
    """Truth: 01, 12, 02. Reversed: 10, 12. The clique has the same; the empty graph none."""
    assert scores["expected_ancestor_f1"] == pytest.approx(0.5 * 2 / 5 + 0.3 * 1 + 0.2 * 0)


def test_interventional_distances_by_hand(scores):
    """Reversed: 1 -> 0 makes (0, 1), (0, 2) and (1, 0)... counted by brute force below."""
    each = [brute_sid(TRUTH, g) for g in (REVERSED, CLIQUE, EMPTY)]
    assert each[1] == 0
    expected = 0.5 * each[0] + 0.2 * each[2]
    assert scores["expected_sid"] == pytest.approx(expected)
    assert scores["expected_sid_per_pair"] == pytest.approx(expected / 6)
    assert scores["share_cyclic"] == 0


def test_probabilities_by_hand(scores):
    """p: 01 .3, 10 .5, 12 .8, 02 .3, others 0; edges are 01 and 12."""
    p = {(0, 1): 0.3, (1, 0): 0.5, (1, 2): 0.8, (0, 2): 0.3, (2, 0): 0.0, (2, 1): 0.0}
    y = {k: k in ((0, 1), (1, 2)) for k in p}
    assert scores["brier"] == pytest.approx(np.mean([(p[k] - y[k]) ** 2 for k in p]))
    # Bins [0, .1), [.3, .4), [.5, .6), [.8, .9) with 2, 2, 1, 1 pairs.
    gaps = 2 * 0 + 2 * abs(0.5 - 0.3) + 1 * 0.5 + 1 * 0.2
    assert scores["ece"] == pytest.approx(gaps / 6)
    entropy = [-(q * math.log(q) + (1 - q) * math.log(1 - q)) for q in p.values() if 0 < q < 1]
    assert scores["edge_entropy"] == pytest.approx(sum(entropy) / 6)
    logs = [math.log(max(1e-6, q if y[k] else 1 - q)) for k, q in p.items()]
    assert scores["edge_nll"] == pytest.approx(-sum(logs), abs=1e-5)
    assert scores["edge_nll_per_pair"] == pytest.approx(-sum(logs) / 6, abs=1e-5)
    # Of 2 x 4 pairs, .3 beats two zeros and ties with .3; .8 beats all four.
    assert scores["auroc"] == pytest.approx((2 + 0.5 + 4) / 8)
    assert scores["auroc_with_diagonal"] == pytest.approx((5 + 0.5 + 7) / 14)
    # Thresholds .8, .5, .3: precision 1, 1/2, 2/4 at recall 1/2, 1/2, 1.
    assert scores["average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 0.5)
    # The curve goes from (0, 1) to (.5, 1), down to (.5, .5), and on to (1, .5).
    assert scores["area_under_precision_recall"] == pytest.approx(0.5 * 1 + 0.5 * 0.5)
    assert scores["graph_nll"] == math.inf
    assert scores["threshold_graph_is_dag"] == 1


def test_smoothing_of_counted_probabilities():
    """(count + 1/2) / (draws + 1), so that no count of zero is certain."""
    scores = compare(TRUTH, [TRUTH, EMPTY], [0.75, 0.25], n_draws=20)
    hit, miss = (15 + 0.5) / 21, 0.5 / 21
    expected = -(2 * math.log(hit) + 4 * math.log(1 - miss))
    assert scores["edge_nll"] == pytest.approx(expected)
    assert scores["graph_nll"] == pytest.approx(-math.log(0.75))


def test_exact_probabilities_are_clipped_at_a_millionth():
    p = torch.zeros(3, 3, dtype=torch.float64)
    p[1, 0] = 1.0
    scores = compare(TRUTH, [EMPTY], marginals=p)
    expected = -3 * math.log(1e-6) - 3 * math.log(1 - 1e-6)
    assert scores["edge_nll"] == pytest.approx(expected, rel=1e-6)


def test_a_perfect_answer_is_perfect():
    scores = compare(TRUTH, [TRUTH])
    for name, value in scores.items():
        if name.endswith(("f1", "precision", "recall", "accuracy")) or name.startswith("au"):
            assert value == 1, name
        if "shd" in name or "sid" in name or name in ("ece", "brier", "edge_entropy", "graph_nll"):
            assert value == pytest.approx(0, abs=1e-12), name
    assert scores["edge_ratio"] == 1
    assert scores["expected_common_skeleton_edges"] == 2


def test_nothing_to_find_and_nothing_claimed():
    scores = compare(EMPTY, [EMPTY])
    assert scores["expected_f1"] == scores["expected_ancestor_f1"] == 1
    assert scores["expected_shd"] == scores["expected_sid"] == 0
    for name in ("auroc", "average_precision", "area_under_precision_recall", "edge_ratio"):
        assert math.isnan(scores[name]), name


def test_the_threshold_graph_may_be_cyclic_where_no_draw_is():
    """Three orders of a ring, a third each, and probabilities of the user's own above a half."""
    p = torch.zeros(3, 3, dtype=torch.float64)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        p[i, j] = 0.6
    scores = compare(TRUTH, [TRUTH], marginals=p)
    assert scores["threshold_graph_is_dag"] == 0
    assert compare(TRUTH, [TRUTH], marginals=0.8 * p)["threshold_graph_is_dag"] == 1


def test_cyclic_draws_leave_sid_and_classes_out_and_are_reported():
    ring = graph((0, 1), (1, 2), (2, 0))
    pair = graph((0, 1), (1, 0))
    with_cycles = compare(TRUTH, [ring, REVERSED, pair, EMPTY], [0.4, 0.3, 0.2, 0.1])
    without = compare(TRUTH, [REVERSED, EMPTY], [0.75, 0.25])
    assert with_cycles["share_cyclic"] == pytest.approx(0.6)
    for name in ("expected_sid", "expected_sid_per_pair", "expected_cpdag_shd"):
        assert with_cycles[name] == pytest.approx(without[name]), name
    # Of a pair in both directions one is correct and the other is extra, not reversed.
    assert with_cycles["expected_reversed"] == pytest.approx(0.3)
    assert with_cycles["expected_extra"] == pytest.approx(0.4 * 1 + 0.2 * 1)
    assert with_cycles["expected_missing"] == pytest.approx(0.2 * 1 + 0.1 * 2)
    every = compare(TRUTH, [ring])
    assert every["share_cyclic"] == 1
    assert math.isnan(every["expected_sid"])
    assert math.isnan(every["expected_cpdag_shd"])


@pytest.mark.parametrize("d", [1, 2])
def test_few_variables_are_no_special_case(d):
    empty = graph(d=d)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = compare(empty, [empty])
    assert scores["expected_shd"] == 0
    assert scores["expected_shd_per_pair"] == 0
    assert scores["n_edges"] == 0


# -- identities and invariances -----------------------------------------------------------

posteriors = {
    "which": st.integers(0, 542),
    "seed": st.integers(0, 2**31),
    "cyclic": st.booleans(),
}


def random_posterior(which, seed, cyclic, s=5):
    rng = np.random.default_rng(seed)
    if cyclic:
        draws = torch.from_numpy(rng.random((s, 4, 4)) < 0.35) & ~torch.eye(4).bool()
    else:
        draws = all_dags(4)[torch.from_numpy(rng.integers(0, 543, s))]
    return all_dags(4)[which], list(draws), rng.dirichlet(np.ones(s)).tolist()


@settings(max_examples=20)
@given(**posteriors)
def test_shd_with_double_reversals_is_extra_plus_missing_plus_twice_reversed(which, seed, cyclic):
    truth, draws, weights = random_posterior(which, seed, cyclic)
    m = compare(truth, draws, weights)
    parts = m["expected_extra"] + m["expected_missing"] + 2 * m["expected_reversed"]
    assert m["expected_shd_reversal_2"] == pytest.approx(parts)
    direct = sum(w * int((truth ^ g).sum()) for w, g in zip(weights, draws, strict=True))
    assert m["expected_shd_reversal_2"] == pytest.approx(direct)
    found = m["expected_correct"] + m["expected_missing"] + m["expected_reversed"]
    assert found == pytest.approx(m["n_edges_true"])
    claimed = m["expected_correct"] + m["expected_extra"] + m["expected_reversed"]
    assert claimed == pytest.approx(m["n_edges"])
    share = sum(w for w, g in zip(weights, draws, strict=True) if not is_acyclic(g))
    assert m["share_cyclic"] == pytest.approx(share, abs=1e-12)


@settings(max_examples=10)
@given(**posteriors, rnd=st.randoms(use_true_random=False))
def test_relabelling_the_variables_changes_no_metric(which, seed, cyclic, rnd):
    truth, draws, weights = random_posterior(which, seed, cyclic)
    p = rnd.sample(range(4), 4)
    one = compare(truth, draws, weights)
    two = compare(truth[p][:, p], [g[p][:, p] for g in draws], weights)
    for name, value in one.items():
        assert two[name] == pytest.approx(value, nan_ok=True, abs=1e-9), name


@settings(max_examples=10)
@given(**posteriors)
def test_a_draw_that_is_split_in_two_changes_no_metric(which, seed, cyclic):
    truth, draws, weights = random_posterior(which, seed, cyclic)
    one = compare(truth, draws, weights)
    split = [weights[0] * 0.3, *weights[1:], weights[0] * 0.7]
    two = compare(truth, [*draws, draws[0]], split)
    for name, value in one.items():
        assert two[name] == pytest.approx(value, nan_ok=True, abs=1e-9), name


def test_area_under_precision_recall_by_the_trapezoidal_rule():
    rng = np.random.default_rng(0)
    for g in all_dags(3)[1:]:
        p = torch.from_numpy(rng.random((3, 3)))
        off = ~np.eye(3, dtype=bool)
        y, score = g.numpy()[off], p.numpy()[off]
        points = [(0.0, 1.0)]
        for t in sorted(score, reverse=True):
            claimed = score >= t
            hits = (y & claimed).sum()
            points.append((hits / y.sum(), hits / claimed.sum()))
            if hits == y.sum():
                break
        area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(points))
        assert area_under_precision_recall(g, p) == pytest.approx(area)


# -- structural intervention distance -----------------------------------------------------


def is_open(path, edges, given_set, descendants):
    """A path is open if every collider has a descendant in the set and no other node is in it."""
    for a, b, c in zip(path, path[1:], path[2:], strict=False):
        collider = (a, b) in edges and (c, b) in edges
        if collider and not (descendants[b] | {b}) & given_set:
            return False
        if not collider and b in given_set:
            return False
    return True


def brute_sid(truth, estimate):
    """Ordered pairs for which the estimate's parents are no adjustment set, path by path."""
    d = len(truth)
    a = nx.DiGraph()
    a.add_nodes_from(range(d))
    a.add_edges_from(map(tuple, truth.nonzero().tolist()))
    edges = set(a.edges)
    skeleton = a.to_undirected()
    descendants = {k: nx.descendants(a, k) for k in range(d)}
    wrong = 0
    for i, j in itertools.permutations(range(d), 2):
        chosen = set(estimate[:, i].nonzero().flatten().tolist())
        if j in chosen:
            wrong += j in descendants[i]
            continue
        paths = list(nx.all_simple_paths(skeleton, i, j))
        causal = [p for p in paths if all(e in edges for e in itertools.pairwise(p))]
        on_causal = {w for p in causal for w in p[1:]}
        bad = set().union(*(descendants[w] | {w} for w in on_causal))
        others = [p for p in paths if p not in causal]
        wrong += bool(chosen & bad) or any(is_open(p, edges, chosen, descendants) for p in others)
    return wrong


def random_dag(d, rng):
    order = rng.permutation(d)
    g = np.triu(rng.random((d, d)) < rng.uniform(0.2, 0.9), 1)
    return torch.from_numpy(g[np.ix_(order, order)])


@pytest.mark.parametrize("d", [2, 3, 4, 5, 6])
def test_sid_equals_the_count_over_all_paths(d):
    rng = np.random.default_rng(d)
    for _ in range(20):
        truth, estimate = random_dag(d, rng), random_dag(d, rng)
        assert sid(truth, estimate) == brute_sid(truth, estimate)


def test_expected_sid_is_the_weighted_mean_of_the_counts():
    rng = np.random.default_rng(9)
    truth = random_dag(5, rng)
    draws = [random_dag(5, rng) for _ in range(4)]
    weights = [0.1, 0.2, 0.3, 0.4]
    scores = compare(truth, draws, weights)
    expected = sum(w * brute_sid(truth, g) for w, g in zip(weights, draws, strict=True))
    assert scores["expected_sid"] == pytest.approx(expected)
    assert scores["expected_sid_per_pair"] == pytest.approx(expected / 20)
