"""Random DAGs for simulation against their stated densities, closed forms and quadrature."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from aetia.errors import InputError
from aetia.graphs import is_acyclic
from aetia.scm import (
    Blocks,
    EdgeCoins,
    Family,
    Geometric,
    GraphFamily,
    GraphMixture,
    PreferentialAttachment,
    SmallWorld,
)

DIRECTIONS = ("in-hub", "out-hub", "random-order")

# Expected edges at d = 20, worked out by hand: 190 pairs; sum of min(m, k); 20 k / 2 in a ring;
# 25 lattice nodes with 50 edges of which 190 / 300 of the pairs stay; 40 pairs within 4 blocks.
EDGES_AT_20 = {
    "coins-edges": (EdgeCoins(edges=20), 20.0),
    "coins-per-node": (EdgeCoins(edges_per_node=1.5), 30.0),
    "coins-default": (EdgeCoins(), 40.0),
    "coins-sparsity": (EdgeCoins(probability=0.2), 38.0),
    "coins-causal-meta-er20": (EdgeCoins(probability=0.0526), 9.994),
    "coins-exact": (EdgeCoins(edges=60, exact=True), 60.0),
    "scale-free-1": (PreferentialAttachment(edges_per_node=1), 19.0),
    "scale-free-2": (PreferentialAttachment(edges_per_node=2, direction="out-hub"), 37.0),
    "scale-free-3": (PreferentialAttachment(edges_per_node=3, direction="random-order"), 54.0),
    "scale-free-edges": (PreferentialAttachment(edges=30, power=1.5), 30.0),
    "small-world": (SmallWorld(reach=2, rewire=0.3), 40.0),
    "small-world-2d": (SmallWorld(reach=1, rewire=0.2, dim=2), 50 * 190 / 300),
    "blocks-strong": (Blocks(within=0.6, between=0.01), 25.5),
    "blocks-weak": (Blocks(within=0.3, between=0.1), 27.0),
    "blocks-edges": (Blocks(edges=30), 30.0),
    "blocks-nearly-full": (Blocks(edges=90), 90.0),
    "blocks-random-sizes": (Blocks(edges_per_node=2, n_blocks=5, sizes="random"), 40.0),
    "blocks-same-density": (Blocks(edges=30, damp=1.0), 30.0),
    "blocks-denser-between": (Blocks(edges=30, damp=2.0), 30.0),
    "blocks-one": (Blocks(edges=30, n_blocks=1), 30.0),
    "blocks-apart": (Blocks(edges=30, damp=0.0), 30.0),
    "geometric-radius": (Geometric(radius=0.3), 40.8),
    "geometric-edges": (Geometric(edges=25), 25.0),
    "mixture": (GraphMixture([EdgeCoins(edges=10), EdgeCoins(edges=30, exact=True)], [1, 3]), 25.0),
}


def acyclic(graph):
    return bool(is_acyclic(torch.from_numpy(graph)))


def draws(family, count, d, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([family.sample(d, rng) for _ in range(count)])


# -- acyclicity and density ---------------------------------------------------------------

families = st.one_of(
    st.builds(EdgeCoins, probability=st.floats(0, 1), exact=st.booleans()),
    st.builds(
        PreferentialAttachment,
        edges_per_node=st.just(1),
        power=st.floats(0.2, 3),
        direction=st.sampled_from(DIRECTIONS),
    ),
    st.builds(SmallWorld, reach=st.integers(1, 4), rewire=st.floats(0, 1), dim=st.integers(1, 3)),
    st.builds(
        Blocks,
        n_blocks=st.integers(1, 6),
        within=st.floats(0, 1),
        between=st.floats(0, 1),
        sizes=st.sampled_from(["equal", "random"]),
    ),
    st.builds(Geometric, radius=st.floats(0.01, 2), dim=st.integers(1, 3)),
)


@given(families, st.integers(1, 14), st.integers(0, 2**31))
def test_every_graph_is_a_dag_of_the_asked_size(family, d, seed):
    graph = family.sample(d, np.random.default_rng(seed))
    assert graph.shape == (d, d)
    assert graph.dtype == bool
    assert acyclic(graph)
    np.testing.assert_array_equal(graph, family.sample(d, np.random.default_rng(seed)))


@pytest.mark.parametrize("case", EDGES_AT_20)
def test_graphs_have_the_stated_number_of_edges(case):
    """300 graphs; z < 4.5 in 24 families: one alarm in 6000 suites of seeds.

    Where the count is fixed, every graph has it.
    """
    family, expected = EDGES_AT_20[case]
    assert family.expected_edges(20) == pytest.approx(expected, rel=2e-3)
    graphs = draws(family, 300, 20)
    assert all(acyclic(g) for g in graphs[:50])
    counts = graphs.sum((1, 2))
    error = counts.std() / np.sqrt(300)
    assert abs(counts.mean() - family.expected_edges(20)) <= 4.5 * error + 1e-9


@pytest.mark.parametrize("d", [2, 5, 11, 40])
@pytest.mark.parametrize(
    "make",
    [
        lambda d: EdgeCoins(edges=0.9 * d / 2),
        lambda d: PreferentialAttachment(edges=float(d - 1)),
        lambda d: Blocks(edges=0.9 * d / 2, n_blocks=3),
        lambda d: Geometric(edges=0.9 * d / 2),
    ],
    ids=["coins", "scale-free", "blocks", "geometric"],
)
def test_a_number_of_edges_can_be_asked_for_at_any_size(make, d):
    """200 graphs at each of 16 settings, z < 4.5: one alarm in 9000 suites of seeds."""
    family = make(d)
    counts = draws(family, 200, d, seed=d).sum((1, 2))
    asked = family.edges
    assert family.expected_edges(d) == pytest.approx(asked)
    assert abs(counts.mean() - asked) <= 4.5 * max(counts.std(), 0.1) / np.sqrt(200)


@pytest.mark.parametrize("edges", [0, 1, 44, 45])
def test_exact_edge_counts_are_exact(edges):
    assert set(draws(EdgeCoins(edges=edges, exact=True), 20, 10).sum((1, 2))) == {edges}


@pytest.mark.parametrize("radius", [0.1, 0.3, 0.7, 1.0, 1.2])
def test_close_pairs_of_the_unit_square_match_quadrature(radius):
    """The gaps along each axis have the density 2 (1 - t)."""

    def inner(a):  # integral of 2 (1 - b) over b^2 < r^2 - a^2
        b = min(np.sqrt(max(radius**2 - a**2, 0.0)), 1.0)
        return 2 * (1 - a) * (2 * b - b**2)

    kink = np.sqrt(max(radius**2 - 1, 0.0))
    share = integrate.quad(inner, 0, min(radius, 1.0), points=[kink] if kink else None)[0]
    assert Geometric(radius=radius).expected_edges(20) == pytest.approx(190 * share, rel=1e-6)


# -- structure ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "family",
    [
        EdgeCoins(edges=6),
        EdgeCoins(edges=6, exact=True),
        *(PreferentialAttachment(edges_per_node=2, direction=d) for d in DIRECTIONS),
        SmallWorld(reach=1, rewire=0.3),
        Blocks(n_blocks=2, within=0.7, between=0.1),
        Geometric(radius=0.4),
    ],
    ids=lambda f: f"{f.name}-{getattr(f, 'direction', getattr(f, 'exact', ''))}",
)
def test_the_index_of_a_variable_says_nothing(family):
    """400 graphs, 30 ordered pairs in 8 families at |z| < 4.5: one alarm in 600 suites."""
    counts = draws(family, 400, 6).sum(0)
    p = family.expected_edges(6) / 30
    z = (counts[~np.eye(6, dtype=bool)] - 400 * p) / np.sqrt(400 * p * (1 - p))
    assert np.abs(z).max() < 4.5


def largest_degrees(direction, m=2, count=100):
    graphs = draws(PreferentialAttachment(edges_per_node=m, direction=direction), count, 20)
    return graphs.sum(1).max(1), graphs.sum(2).max(1)  # causes, effects


def test_hubs_point_the_way_that_was_asked_for():
    """The other degree of a hub graph is at most m, by construction."""
    causes, effects = largest_degrees("in-hub")
    assert (effects == 2).all()
    assert causes.mean() > 6
    causes, effects = largest_degrees("out-hub")
    assert (causes == 2).all()
    assert effects.mean() > 6


def test_a_random_order_treats_causes_and_effects_alike():
    """A paired z-test on 100 graphs at 4.5 sigma; and hubs remain (7 of 19, measured: 7.3)."""
    causes, effects = largest_degrees("random-order")
    gap = causes - effects
    assert abs(gap.mean()) < 4.5 * gap.std() / 10
    assert causes.mean() > 4.5


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_new_nodes_prefer_high_degrees_to_the_stated_power(power):
    """The fourth node joins the centre of a path with odds 2^power : 2; 1000 graphs, 4.5 se."""
    graphs = draws(PreferentialAttachment(edges_per_node=1, power=power), 1000, 4)
    star = (graphs | graphs.swapaxes(1, 2)).sum(1).max(1) == 3
    p = 2**power / (2**power + 2)
    assert abs(star.mean() - p) < 4.5 * np.sqrt(p * (1 - p) / 1000)


@pytest.mark.parametrize(
    ("d", "reach", "dim", "degree"), [(12, 1, 1, 2), (12, 3, 1, 6), (25, 1, 2, 4)]
)
def test_a_lattice_that_is_not_rewired_is_regular(d, reach, dim, degree):
    graph = SmallWorld(reach=reach, rewire=0.0, dim=dim).sample(d, np.random.default_rng(0))
    assert ((graph | graph.T).sum(0) == degree).all()


def test_blocks_that_are_not_connected_are_cliques_of_nearly_equal_size():
    graph = Blocks(n_blocks=3, within=1.0, between=0.0).sample(10, np.random.default_rng(0))
    degrees = sorted((graph | graph.T).sum(0))
    assert degrees == [2] * 6 + [3] * 4  # blocks of 3, 3 and 4


def test_blocks_without_edges_between_them_stay_apart():
    """With two blocks of ten and ``damp=0`` nothing reaches more than nine others."""
    for graph in draws(Blocks(edges=25, n_blocks=2, damp=0.0), 10, 20):
        reach = np.linalg.matrix_power((graph | graph.T) + np.eye(20), 20) > 0
        assert reach.sum(0).max() <= 10


def test_denser_blocks_are_denser_inside():
    """Triangles tell: 30 edges fall on 4 blocks of 5 rather than anywhere."""

    def triangles(family):
        both = draws(family, 100, 20)
        both = (both | both.swapaxes(1, 2)).astype(int)
        return (np.trace(both @ both @ both, axis1=1, axis2=2) / 6).mean()

    assert triangles(Blocks(edges=30, damp=0.05)) > 2 * triangles(EdgeCoins(edges=30))


def test_a_mixture_draws_its_members_by_weight():
    """Members with 1 and 3 edges, 1 : 3; 400 draws at 4.5 standard errors."""
    mixture = GraphMixture(
        [{"name": "erdos-renyi", "edges": 1, "exact": True}, EdgeCoins(edges=3, exact=True)],
        weights=[1, 3],
    )
    counts = draws(mixture, 400, 5).sum((1, 2))
    assert set(counts) == {1, 3}
    assert abs((counts == 3).mean() - 0.75) < 4.5 * np.sqrt(0.75 * 0.25 / 400)


# -- refusals -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: EdgeCoins(edges=7).sample(4, rng), "7 edges.* at most 6"),
        (lambda rng: EdgeCoins(edges_per_node=2.0).sample(4, rng), "8 edges.* at most 6"),
        (lambda rng: EdgeCoins(edges=5).sample(1, rng), "5 edges.* at most 0"),
        (lambda rng: EdgeCoins(probability=1.2).sample(4, rng), "1.2"),
        (lambda rng: PreferentialAttachment(edges_per_node=4).sample(4, rng), "got 4"),
        (lambda rng: PreferentialAttachment(edges=2).sample(6, rng), "5 to 15 edges.* 2 were"),
        (lambda rng: PreferentialAttachment(edges=16).sample(6, rng), "5 to 15 edges.* 16 were"),
        (lambda rng: Blocks(edges=11).sample(5, rng), "5 variables cannot hold 11 edges"),
        (lambda rng: Blocks(edges=9, n_blocks=2, damp=0.0).sample(6, rng), "cannot hold 9 edges"),
        (lambda rng: Geometric(edges=191).sample(20, rng), "191 edges.* at most 190"),
        (lambda rng: Geometric(edges=3).sample(1, rng), "3"),
    ],
)
def test_densities_that_no_dag_has_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EdgeCoins(edges=3, probability=0.1), "edges, probability"),
        (lambda: EdgeCoins(edges=-1), "edges must be at least 0, got -1"),
        (lambda: PreferentialAttachment(edges_per_node=0), "edges_per_node must be larger"),
        (lambda: SmallWorld(rewire=1.5), "rewire must lie in .*1.5"),
        (lambda: SmallWorld(reach=0), "reach"),
        (lambda: Blocks(within=0.3), "`within` and `between`"),
        (lambda: Blocks(within=0.3, between=-0.1), "between must lie in"),
        (lambda: Geometric(dim=3), "state the radius"),
        (lambda: Geometric(radius=-1.0), "radius"),
        (lambda: GraphMixture(), "at least one entry"),
        (lambda: GraphMixture([EdgeCoins()], weights=[1, 2]), "needs as many"),
        (lambda: GraphMixture(["erdos-reny"]), "Did you mean 'erdos-renyi'"),
        (lambda: GraphMixture([{"edges": 2}]), "needs the entry 'name'"),
        (lambda: GraphMixture([{"name": "blocks", "n_block": 2}]), "Did you mean 'n_blocks'"),
    ],
)
def test_wrong_options_are_named(make, message):
    with pytest.raises(InputError, match=message):
        make()


# -- a user's own -------------------------------------------------------------------------


@dataclass(frozen=True)
class Chain:
    """0 -> 1 -> ... -> d - 1: no base class, no registration."""

    def sample(self, d, rng):
        return np.eye(d, k=1, dtype=bool)

    def expected_edges(self, d):
        return float(d - 1)


def test_a_family_of_the_users_own_plugs_in():
    assert isinstance(Chain(), GraphFamily)
    table = Family(d=4, n=20, graphs=Chain()).task(0)
    np.testing.assert_array_equal(table.truth.graph, np.eye(4, k=1, dtype=bool))
    mixed = GraphMixture([Chain(), EdgeCoins(edges=0)])
    assert mixed.expected_edges(5) == 2.0
    assert set(draws(mixed, 20, 5).sum((1, 2))) == {0, 4}
