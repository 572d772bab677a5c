"""Order MCMC: its parts against enumeration, its rules on constructed chains, its face."""

import itertools
import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from aetia.data import as_dataset
from aetia.diagnostics import convergence
from aetia.discovery.candidate_parents import choose_candidates, default_n_candidates
from aetia.discovery.extension_gains import extension_gains
from aetia.discovery.order_mcmc import OrderMCMC, OrderMCMCConfig, kernel
from aetia.discovery.order_mcmc import chains as chains_module
from aetia.discovery.order_mcmc.chains import Chains, path_shares
from aetia.discovery.order_mcmc.diagnostics import (
    bulk_ess,
    chain_agreement,
    edge_shares,
    split_rhat,
    transitions,
)
from aetia.discovery.order_mcmc.first_orders import first_orders, read_beginning
from aetia.discovery.order_mcmc.repair import outside_probabilities, replace_candidates
from aetia.discovery.order_mcmc.tables import ChainTables, graphs_of
from aetia.errors import ConvergenceWarning, InputError
from aetia.graphs import (
    Knowledge,
    SparseEdgeRate,
    all_dags,
    is_acyclic,
    log_linear_extensions,
    transitive_closure,
)
from aetia.likelihoods import BGe

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "order.json").read_text())
CASES = {c["name"]: c for c in GOLDEN["cases"]}


def all_others(d):
    others = [[i for i in range(d) if i != j] for j in range(d)]
    return torch.tensor(others, dtype=torch.int64).reshape(d, d - 1)


def golden_tables(case, prior="uniform"):
    d = case["d"]
    sets = torch.full((d, 2 ** (d - 1)), -torch.inf, dtype=torch.float64)
    others = all_others(d)
    for row in case["local_scores"]:
        j, parents = row["node"], row["parents"]
        mask = sum(1 << others[j].tolist().index(i) for i in parents)
        fair = math.log(math.comb(d - 1, len(parents))) if prior == "fair" else 0.0
        if row["score"] is not None:
            sets[j, mask] = row["score"] - fair
    return ChainTables.of(others, sets)


def tiers_tables():
    """Four variables; 0 -> 1 is required, nothing may cause 0, random scores."""
    sets = torch.randn(4, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    others = all_others(4)
    sets[0, 1:] = -torch.inf
    sets[1, [m for m in range(8) if not m & 1]] = -torch.inf  # bit 0 of variable 1 is variable 0
    return ChainTables.of(others, 2.0 * sets)


def rng_state(seed):
    return np.random.SeedSequence(seed).generate_state(4, np.uint64)


def scored(d, n=60, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    for j in range(1, d):
        x[:, j] += 0.8 * x[:, j - 1]
    data = as_dataset((x - x.mean(0)) / x.std(0))
    return data, BGe().local_scores(data)


def constraints_for(data, **statements):
    found = Knowledge(**statements).constraints(data.names)
    return found._replace(forbidden=found.forbidden | torch.eye(data.d, dtype=torch.bool))


# -- the kernel -------------------------------------------------------------------------------


def test_the_generator_is_xoshiro_and_uniform():
    state = np.array([1, 2, 3, 4], dtype=np.uint64)
    values = np.array([kernel.uniform(state) for _ in range(20_000)])
    # The first outputs of xoshiro256** from this state are 11520, 0 and 1509978240.
    top = [output // 2048 * 2048 for output in (11520, 0, 1509978240)]  # the upper 53 bits
    np.testing.assert_array_equal(values[:3] * 2.0**64, top)
    assert stats.kstest(values[100:], "uniform").pvalue > 1e-4


@pytest.mark.parametrize("seed", range(3))
def test_the_coins_draw_a_set_with_its_probability(seed):
    generator = torch.Generator().manual_seed(seed)
    sets = 3.0 * torch.randn(16, generator=generator, dtype=torch.float64)
    sets[torch.randint(1, 16, (5,), generator=generator)] = -torch.inf
    tables = ChainTables.of(all_others(5), sets.repeat(5, 1))

    def probability(target, mask, b):
        """Walk from the highest candidate down, as the kernel does, along one path."""
        if b < 0:
            return float(mask == target)
        if not mask >> b & 1:
            return probability(target, mask, b - 1)
        drop = float(tables.coins[0, b, (mask >> (b + 1)) << b | mask & ((1 << b) - 1)])
        kept = probability(target, mask, b - 1) if target >> b & 1 else 0.0
        dropped = probability(target, mask ^ (1 << b), b - 1) if not target >> b & 1 else 0.0
        return (1 - drop) * kept + drop * dropped

    for mask in range(16):
        inside = [m for m in range(16) if m & ~mask == 0]
        total = np.logaddexp.reduce(tables.sets[0, inside])
        np.testing.assert_allclose(tables.sums[0, mask], total, rtol=1e-12)
        for m in inside:
            expected = math.exp(tables.sets[0, m] - total)
            assert probability(m, mask, 3) == pytest.approx(expected, abs=3e-7)


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_the_hook_distribution_sums_to_one_over_the_orders_of_every_graph(d):
    candidates = all_others(d).numpy()
    for graph in all_dags(d).numpy():
        parents = (graph[candidates, np.arange(d)[:, None]] << np.arange(d - 1)).sum(-1)
        total, extensions = 0.0, 0
        for order in itertools.permutations(range(d)):
            position = np.argsort(order)
            if (position[:, None] < position[None, :])[graph].all():
                log_q = kernel.hook_log_probability(np.array(order), parents, candidates)
                total += math.exp(log_q)
                extensions += 1
        assert total == pytest.approx(1.0, abs=1e-12)
        if graph.sum(0).max(initial=0) <= 1:  # a forest: uniform over its orders
            assert log_q == pytest.approx(-math.log(extensions), abs=1e-12)


@pytest.mark.parametrize("d", [5, 63, 64, 65, 150])
def test_drawn_orders_of_any_width_fit_the_graph(d):
    rng, state = np.random.default_rng(d), rng_state(d)
    hidden = rng.permutation(d)
    graph = np.zeros((d, d), dtype=bool)
    candidates = np.stack([rng.permutation(np.delete(np.arange(d), j))[:4] for j in range(d)])
    position = np.argsort(hidden)
    for j in range(d):
        earlier = candidates[j][position[candidates[j]] < position[j]]
        graph[earlier[rng.random(len(earlier)) < 0.5], j] = True
    parents = (graph[candidates, np.arange(d)[:, None]] << np.arange(4)).sum(-1)
    for _ in range(5):
        order = hidden.copy()
        log_q = kernel.hook_draw(order, parents, candidates, state)
        where = np.argsort(order)
        assert (where[:, None] < where[None, :])[graph].all()
        evaluated = kernel.hook_log_probability(order, parents, candidates)
        assert log_q == pytest.approx(evaluated, rel=1e-12)
    counted = path_shares(parents[None, None].astype(np.int32), candidates)[0]
    np.testing.assert_array_equal(counted > 0, transitive_closure(torch.from_numpy(graph)).numpy())


@pytest.mark.parametrize("move", ["relocate", "swap", "shuffle_window"])
@pytest.mark.parametrize("beta", [1.0, 0.4])
@pytest.mark.parametrize("which", ["golden", "tiers"])
def test_moves_keep_the_distribution_of_orders_and_are_reversible(move, beta, which):
    """Chi-square tests over 24 orders; about one false alarm in 10,000 seeds each."""
    tables = golden_tables(CASES["bge_d4_n50"]) if which == "golden" else tiers_tables()
    orders = np.array(list(itertools.permutations(range(4))))
    index = {tuple(o): i for i, o in enumerate(orders.tolist())}
    log_weights = beta * np.array([tables.log_weight(o) for o in orders])
    p = np.exp(log_weights - np.logaddexp.reduce(log_weights))
    n, state = 8_000, rng_state(11)
    flows = np.zeros((24, 24))
    masks, scores, weights = np.zeros(4, np.int64), np.zeros(4), np.zeros(4)
    for i in np.random.default_rng(5).choice(24, size=n, p=p):
        order = orders[i].copy()
        kernel.place(order, tables.candidates, tables.sums, masks, scores, np.zeros(4, np.int64))
        shared = (order, masks, scores, tables.own)
        if move == "relocate":
            kernel.relocate(*shared, tables.other, tables.sums, beta, weights, state)
        elif move == "swap":
            kernel.swap(*shared, tables.other, tables.sums, beta, state)
        else:
            kernel.shuffle_window(*shared, tables.sums, beta, state)
        flows[i, index[tuple(order.tolist())]] += 1
        assert scores.sum() == pytest.approx(tables.log_weight(order), abs=1e-9)
    ends = flows.sum(0)
    assert ends[p == 0].sum() == 0
    enough = p * n > 5
    observed = np.append(ends[enough], ends[~enough].sum())
    expected = np.append(p[enough], p[~enough].sum()) * n
    keep = expected > 0
    assert stats.chisquare(observed[keep], expected[keep]).pvalue > 1e-4
    upper = np.triu_indices(24, 1)
    there, back = flows[upper], flows.T[upper]
    seen = there + back > 10
    statistic = ((there - back)[seen] ** 2 / (there + back)[seen]).sum()
    assert stats.chi2.sf(statistic, seen.sum()) > 1e-4


def chains_on(tables, *, seed, n_chains=2, n_temperatures=1, n_draws=50_000):
    d = tables.d
    orders = np.tile(np.arange(d), (n_chains, n_temperatures, 1))
    seeds = np.random.SeedSequence(seed).spawn(n_chains)
    return Chains(tables, orders, seeds, n_draws)


@pytest.mark.parametrize("n_temperatures", [1, 3])
def test_the_correction_removes_the_bias_of_orders(n_temperatures):
    """Standard errors from the effective sample size; 4.5 of them, one false alarm in 10,000."""
    case = CASES["additive_gprior_d4"]
    tables = golden_tables(case, "fair")
    chains = chains_on(tables, seed=1, n_temperatures=n_temperatures)
    uncorrected, _ = chains.wander(20, 20_000)
    chains.n_moves = 4
    chains.extend(20_000)
    for draws, right, wrong in (
        (chains.draws, case["fair"], case["fair"]["order_modular"]),
        (uncorrected, case["fair"]["order_modular"], case["fair"]),
    ):
        edges = np.argwhere(~np.eye(4, dtype=bool))
        shares = edge_shares(draws, tables.candidates).mean(0)
        indicators = graphs_of(draws, tables.candidates)[..., edges[:, 0], edges[:, 1]]
        p = np.array(right["edge"])[edges[:, 0], edges[:, 1]]
        se = np.sqrt(p * (1 - p) / bulk_ess(indicators)) + 1e-4
        assert (np.abs(shares[edges[:, 0], edges[:, 1]] - p) < 4.5 * se).all()
        assert np.abs(shares - np.array(wrong["edge"])).max() > 0.1


def test_chains_on_impossible_sets_stay_on_possible_graphs():
    tables = tiers_tables()
    chains = chains_on(tables, seed=0, n_temperatures=3, n_draws=500)
    chains.wander(5, 50)
    chains.tune(5, 50)
    chains.extend(400)
    assert np.isfinite(chains.log_scores).all()
    graphs = graphs_of(chains.draws, tables.candidates)
    assert graphs[..., 0, 1].all()
    assert not graphs[..., :, 0].any()
    assert is_acyclic(torch.from_numpy(graphs)).all()


def test_threads_do_not_change_the_draws(monkeypatch):
    def run():
        chains = chains_on(golden_tables(CASES["bge_d4_n50"]), seed=4, n_temperatures=2, n_draws=50)
        chains.wander(3, 20)
        chains.tune(3, 20)
        chains.extend(70)
        chains.extend(70)
        return chains

    first = run()
    monkeypatch.setattr(chains_module.os, "sched_getaffinity", lambda _: {0})
    second = run()
    np.testing.assert_array_equal(first.draws, second.draws)
    np.testing.assert_array_equal(first.orders, second.orders)
    assert first.n_moves == second.n_moves


def test_thinning_keeps_evenly_spaced_draws():
    chains = chains_on(golden_tables(CASES["bge_d4_n50"]), seed=4, n_draws=20)
    for _ in range(12):
        chains.extend(10)
    assert chains.n_iterations >= 80
    assert chains.thin >= 4
    assert 20 <= chains.draws.shape[1] < 40


# -- agreement of chains ----------------------------------------------------------------------


def persistent(rng, c, n, p, stay):
    fresh = rng.random((c, n, len(p))) < p
    keep = rng.random((c, n, len(p))) < stay
    for t in range(1, n):
        fresh[:, t] = np.where(keep[:, t], fresh[:, t - 1], fresh[:, t])
    return fresh


def test_diagnostics_of_indicators_are_those_of_arviz():
    rng = np.random.default_rng(0)
    x = persistent(rng, 4, 401, rng.uniform(0.05, 0.95, 30), rng.uniform(0, 0.95, 30))
    reference = convergence(x.astype(float))
    np.testing.assert_allclose(split_rhat(x), reference.rhat, rtol=1e-12)
    np.testing.assert_allclose(bulk_ess(x), reference.ess_bulk, rtol=0.05)
    assert np.median(np.abs(bulk_ess(x) / reference.ess_bulk - 1)) < 1e-9


def test_constants_have_converged_unless_the_chains_differ():
    same = np.ones((4, 100, 1), dtype=bool)
    stuck = same.copy()
    stuck[0] = False
    assert split_rhat(same)[0] == 1.0
    assert split_rhat(stuck)[0] == np.inf
    assert bulk_ess(stuck)[0] == 0.0
    assert bulk_ess(same)[0] == 400.0


def test_an_edge_that_changes_rarely_has_not_converged():
    rng = np.random.default_rng(0)
    draws = np.zeros((4, 200, 2), dtype=np.int32)
    draws[:, :100, 1] = 1  # one change in each chain, at the same place
    candidates = np.array([[1], [0]])
    scores = rng.normal(size=(4, 200))
    found = chain_agreement(draws, scores, candidates, path_shares(draws, candidates))
    assert found.edges.tolist() == [[0, 1]]
    assert found.n_transitions.tolist() == [4]
    assert found.share_converged == 0.0
    assert not found.reaches(0.5)
    assert found.worst_edges().tolist() == [[0, 1]]
    assert transitions(draws[..., [1]] > 0).tolist() == [4]


def test_agreement_needs_probabilities_and_log_scores():
    rng = np.random.default_rng(0)
    draws = (rng.random((4, 500, 2)) < [0.0, 0.4]).astype(np.int32)
    candidates = np.array([[1], [0]])
    paths = path_shares(draws, candidates)
    np.testing.assert_allclose(paths, edge_shares(draws, candidates))
    good = chain_agreement(draws, rng.normal(size=(4, 500)), candidates, paths)
    assert good.reaches(0.05)
    assert not good.reaches(1e-4)
    apart = chain_agreement(
        draws, rng.normal(size=(4, 500)) + np.arange(4)[:, None], candidates, paths
    )
    assert not apart.reaches(0.05)
    constant = chain_agreement(draws, np.arange(4.0)[:, None].repeat(500, 1), candidates, paths)
    assert constant.log_score_rhat == np.inf


# -- candidates -------------------------------------------------------------------------------


class TablesOnly:
    """A score without whole graphs, as a user may write it."""

    def __init__(self, scores):
        self.empty = scores.empty
        self.tables = scores.tables


@pytest.mark.parametrize("density", [0.0, 0.3])
def test_gains_by_tables_are_gains_by_graphs(density):
    data, scores = scored(17)
    rng = np.random.default_rng(1)
    parents = torch.from_numpy(rng.random((17, 17)) < density) & ~torch.eye(17, dtype=torch.bool)
    constraints = constraints_for(data, forbidden=["x0 -> x3"])
    terms = SparseEdgeRate().parent_count_terms(17)
    parents[:, parents.sum(0) > 5] = False  # more are approximated from tables
    one = extension_gains(scores, parents, terms, constraints)
    two = extension_gains(TablesOnly(scores), parents, terms, constraints)
    torch.testing.assert_close(one, two, rtol=1e-8, atol=1e-8)
    assert one[0, 3] == -torch.inf
    assert torch.isinf(one[parents]).all()


def test_candidates_obey_knowledge_and_find_the_neighbours():
    data, scores = scored(30, n=400)
    constraints = constraints_for(
        data, required=["x29 -> x3"], forbidden=["x4 -> x5"], roots=["x10"]
    )
    terms = SparseEdgeRate().parent_count_terms(30)
    found = choose_candidates(scores, 6, terms, constraints)
    assert found.shape == (30, 6)
    assert 29 in found[3]
    assert 4 not in found[5]
    for j in range(1, 30):
        if j not in (5, 10):
            assert j - 1 in found[j]
        if j - 1 != 10:
            assert j in found[j - 1]
    assert all(len(set(row)) == 6 and j not in row for j, row in enumerate(found.tolist()))
    both = constraints_for(data, required=["x0 -> x3", "x1 -> x3"])
    with pytest.raises(InputError, match="only 1 candidates"):
        choose_candidates(scores, 1, terms, both)


def test_a_score_of_tables_only_is_screened_by_a_faster_one():
    data, scores = scored(20, n=400)
    constraints, terms = constraints_for(data), SparseEdgeRate().parent_count_terms(20)
    found = choose_candidates(TablesOnly(scores), 5, terms, constraints, scores)
    assert torch.equal(found, choose_candidates(scores, 5, terms, constraints))


def test_the_number_of_candidates_fits_rows_and_memory():
    assert default_n_candidates(10, 50) == 9
    assert default_n_candidates(100, 500) == 12
    assert default_n_candidates(100, 100) == 16
    assert default_n_candidates(300, 100) == 14


def test_mass_outside_finds_a_missing_parent_and_repairs_it():
    data, scores = scored(6, n=300)
    constraints = constraints_for(data)
    terms = SparseEdgeRate().parent_count_terms(6)
    candidates = torch.tensor([[1, 2], [0, 2], [0, 4], [2, 4], [3, 5], [3, 4]])  # 1 - 2 is missing
    draws = np.zeros((40, 6), dtype=np.int32)  # empty graphs
    paths = np.zeros((40, 6, 6), dtype=bool)
    outside = outside_probabilities(scores, draws, paths, candidates, terms, constraints)
    assert outside[1, 2] > 0.9
    assert outside[0, 1] == 0.0  # a candidate already
    blocked = paths.copy()
    blocked[:, 2, 1] = True  # 1 comes after 2 in every draw
    none = outside_probabilities(scores, draws, blocked, candidates, terms, constraints)
    assert none[1, 2] == 0.0
    better = replace_candidates(candidates, torch.zeros(6, 6).double(), outside, constraints)
    assert 1 in better[2]
    assert better.shape == candidates.shape


# -- beginnings -------------------------------------------------------------------------------


def test_first_orders_obey_required_edges():
    required = np.zeros((5, 5), dtype=bool)
    required[4, 0] = required[0, 2] = True
    rng = np.random.default_rng(0)
    nothing = np.empty((0, 5), dtype=np.int64)
    graph = read_beginning(np.eye(5, k=1, dtype=int)[None], 5, rng)
    assert graph.graphs is not None
    for given in (nothing, read_beginning(np.arange(5), 5, rng).orders, graph.orders):
        orders = first_orders(given, required, (3, 2), rng)
        position = orders.argsort(-1)
        assert orders.shape == (3, 2, 5)
        assert (position[..., 4] < position[..., 0]).all()
        assert (position[..., 0] < position[..., 2]).all()
    with pytest.raises(InputError, match="directed cycle"):
        read_beginning(np.array([[0, 1], [1, 0]]), 2, rng)
    for wrong in (np.arange(4), np.ones(5), [0.5, 1.0], "x"):
        with pytest.raises(InputError, match="initialisation must be"):
            read_beginning(wrong, 5, rng)


def test_every_second_chain_begins_at_random_where_half_of_the_orders_are_given():
    required, rng = np.zeros((30, 30), dtype=bool), np.random.default_rng(0)
    given = np.stack([rng.permutation(30) for _ in range(3)])
    orders = first_orders(given, required, (5, 2), rng, half=True)
    for chain, turn in ((0, 0), (2, 1), (4, 2)):
        assert (orders[chain] == given[turn]).all()
    for chain in (1, 3):
        assert (orders[chain, 0] != orders[chain, 1]).any()
        assert not (orders[chain, :, None] == given).all(-1).any()


# -- the estimator ----------------------------------------------------------------------------

QUICK = {"tolerance": 0.1, "max_seconds": 120.0, "n_draws": 200, "progress": False}
ANYWHERE = QUICK | {"random_state": 0, "n_temperatures": 1}


@pytest.fixture(scope="module")
def from_random_orders():
    return OrderMCMC(**ANYWHERE, initialisation="random").fit(scored(8)[0].values).posterior_


def test_the_same_seed_gives_the_same_draws():
    data, _ = scored(8)
    first, again, other = (
        OrderMCMC(
            **QUICK | {"tolerance": 0.3},
            random_state=s,
            n_candidates=4,
            n_chains=2,
            n_temperatures=2,
        )
        .fit(data.values)
        .posterior_.graphs
        for s in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()


def test_defaults_of_estimator_and_config_are_equal():
    estimator = OrderMCMC().get_params()
    for name in ("random_state", "progress"):
        estimator.pop(name)
    assert OrderMCMCConfig(**estimator) == OrderMCMCConfig()


def test_the_golden_knowledge_holds_in_every_draw():
    case, x = CASES["bge_d5_n40_knowledge"], np.array(CASES["bge_d5_n40"]["x"])
    name = [f"x{i}" for i in range(5)]
    knowledge = {
        "required": ["x0 -> x1"],
        "forbidden": ["x4 -> x3"],
        "tiers": [[name[i] for i in tier] for tier in case["tiers"]],
    }
    fitted = OrderMCMC(
        likelihood={"name": "bge", "alpha_mu": 1.0},
        prior="uniform",
        scaling="none",
        random_state=0,
        **QUICK | {"tolerance": 0.02, "n_draws": 2000},
    ).fit(x, knowledge=knowledge)
    posterior = fitted.posterior_
    allowed = Knowledge.from_dict(knowledge).constraints(tuple(name))
    assert allowed.allows(torch.from_numpy(posterior.graphs)).all()
    found = posterior.edge_probabilities()
    np.testing.assert_allclose(found, np.array(case["uniform"]["edge"]), atol=0.06)
    assert posterior.diagnostics["converged"]


@pytest.mark.parametrize("initialisation", ["greedy", "auto", "posterior", "orders"])
def test_runs_begin_anywhere(initialisation, from_random_orders):
    data, random = scored(8)[0], from_random_orders
    given = {"posterior": random, "orders": np.arange(8)[None]}
    given = given.get(initialisation, initialisation)
    fitted = OrderMCMC(**ANYWHERE, initialisation=given).fit(data.values).posterior_
    gap = np.abs(fitted.edge_probabilities() - random.edge_probabilities()).max()
    assert gap < 0.25
    kept = fitted.facts.config["initialisation"]
    assert kept == {"posterior": "GraphPosterior", "orders": "ndarray"}.get(
        initialisation, initialisation
    )


def test_a_run_without_time_says_so():
    data, _ = scored(15)
    with pytest.warns(ConvergenceWarning, match="chains do not agree after"):
        fitted = OrderMCMC(
            max_seconds=0.01,
            n_candidates=5,
            n_temperatures=2,
            random_state=0,
            tolerance=1e-5,
            progress=False,
        ).fit(data.values)
    facts = fitted.posterior_.diagnostics
    assert facts["converged"] is False
    assert facts["mass_outside"] > 0
    assert facts["n_candidates"] == 5
    assert {"acceptance", "swap_rates", "rhat_max", "between_chain_sd_max"} <= set(facts)
    json.dumps(facts)


class EdgesInPairs:
    """A prior that is not a product over variables."""

    def log_prob(self, graphs):
        return -(graphs.sum((-2, -1)) % 2)

    def sample(self, n, d, generator):
        raise NotImplementedError


def test_what_cannot_be_used_is_refused():
    data, _ = scored(4)
    with pytest.raises(InputError, match="product over variables"):
        OrderMCMC(prior=EdgesInPairs()).fit(data.values)
    with pytest.raises(InputError, match="at most 300 columns"):
        OrderMCMC().fit(np.random.default_rng(0).normal(size=(20, 301)))
    wrongs = ({"n_chains": 1}, {"tolerance": 0}, {"initialisation": "boss"}, {"n_candidates": 0})
    for wrong in wrongs:
        with pytest.raises(InputError):
            OrderMCMC(**wrong).fit(data.values)
    with pytest.raises(InputError, match="required"):
        OrderMCMC(max_parents=1).fit(data.values, knowledge={"required": ["x0 -> x3", "x1 -> x3"]})


def test_likelihoods_of_tables_only_run_too():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 9))
    x[:, 1:] += np.sin(2 * x[:, :-1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = OrderMCMC(
            likelihood="additive", n_candidates=4, random_state=0, max_seconds=1, progress=False
        ).fit(x)
    assert fitted.posterior_.diagnostics["likelihood"] == "additive"
    assert is_acyclic(torch.from_numpy(fitted.posterior_.graphs)).all()


def test_narrow_tables_work():
    rng = np.random.default_rng(0)
    for d in (1, 2, 3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = OrderMCMC(random_state=0, **QUICK).fit(rng.normal(size=(40, d)))
        assert fitted.posterior_.graphs.shape[1:] == (d, d)
        assert is_acyclic(torch.from_numpy(fitted.posterior_.graphs)).all()


def test_log_linear_extensions_agree_with_the_hook_distribution_on_average():
    """1 / L is the mean of q over uniform orders; with one order left it is q itself."""
    chain = np.triu(np.ones((6, 6), dtype=bool), 1)
    candidates = all_others(6).numpy()
    parents = (chain[candidates, np.arange(6)[:, None]] << np.arange(5)).sum(-1)
    log_q = kernel.hook_log_probability(np.arange(6), parents, candidates)
    exact = float(log_linear_extensions(torch.from_numpy(chain[None]))[0])
    assert log_q == pytest.approx(-exact, abs=1e-12)
