"""BCNP: symmetries of the network, orders and graphs against enumeration, both objectives."""

import itertools
import math
from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from aetia.discovery import BCNPConfig
from aetia.discovery.amortised import build_network
from aetia.discovery.bcnp.graph_distribution import (
    OrderedEdges,
    joint_loss,
    marginal_loss,
    order_logits,
    order_precedence,
    precedence,
    training_precedence,
)
from aetia.discovery.bcnp.network import BCNPNetwork
from aetia.errors import InputError
from aetia.graphs import Knowledge, all_dags, is_acyclic
from aetia.nets import seeded

SMALL = {"dim": 16, "n_heads": 2, "ff_dim": 16, "n_layers": 2, "n_layers_decoder": 2}
LAWS = ("gumbel-sinkhorn", "plackett-luce")
ORDERS = list(itertools.permutations(range(3)))


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def config(**options):
    few = {"n_permutations": 6, "sinkhorn_iterations": 30}
    return BCNPConfig(**(SMALL | few | options))


def network(seed=0, **options):
    return build_network(BCNPNetwork, config(**options), seed).eval()


NETWORK = network()


def table(b=2, n=12, d=4, seed=0):
    g = gen(seed)
    return torch.randn(b, n, d, generator=g), torch.rand(b, n, d, generator=g) < 0.2


def off_diagonal(d):
    return ~torch.eye(d, dtype=torch.bool)


def law(d=3, seed=0, permutation="plackett-luce", b=1, scale=1.0):
    g = gen(seed)
    s = scale * torch.randn(b, d, d, generator=g)
    scores = scale * torch.randn(b, d, generator=g)
    return OrderedEdges((s + s.mT) / 2, scores, config(permutation=permutation))


def close(got, expected):
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def order_probability(scores, order):
    """Plackett-Luce, item by item."""
    left, p = list(range(len(scores))), 1.0
    for item in order:
        total = sum(math.exp(scores[k]) for k in left)
        p *= math.exp(scores[item]) / total
        left.remove(item)
    return p


def before_matrix(order):
    """[i, j] is True where i comes before j."""
    d = len(order)
    out = torch.zeros(d, d, dtype=torch.bool)
    for a, b in itertools.combinations(order, 2):
        out[a, b] = True
    return out


# -- the network --------------------------------------------------------------------------

sizes = {"n": st.integers(1, 15), "d": st.integers(1, 5), "seed": st.integers(0, 2**31)}


@settings(max_examples=15)
@given(**sizes)
def test_permuting_rows_changes_nothing_and_permuting_variables_permutes_everything(n, d, seed):
    values, marks = table(2, n, d, seed)
    rows = torch.randperm(n, generator=gen(seed))
    columns = torch.randperm(d, generator=gen(seed + 1))
    with torch.inference_mode():
        edges, scores = NETWORK(values, marks)
        assert torch.equal(edges, edges.mT)
        assert edges.dtype == scores.dtype == torch.float32
        for got, expected in zip(
            NETWORK(values[:, rows], marks[:, rows]), (edges, scores), strict=True
        ):
            close(got, expected)
        permuted = NETWORK(values[..., columns], marks[..., columns])
        close(permuted.edge_logits, edges[:, columns][..., columns])
        close(permuted.scores, scores[:, columns])


@settings(max_examples=15)
@given(**sizes, more_rows=st.integers(0, 5), more_columns=st.integers(0, 3))
def test_padding_changes_nothing_whatever_is_in_it(n, d, seed, more_rows, more_columns):
    big = (n + more_rows, d + more_columns)
    values, marks = table(2, *big, seed)
    values[0, n:], values[0, :, d:] = 7.0, -3.0
    rows = torch.ones(2, big[0], dtype=torch.bool)
    variables = torch.ones(2, big[1], dtype=torch.bool)
    rows[0, n:], variables[0, d:] = False, False
    with torch.inference_mode():
        edges, scores = NETWORK(values, marks, rows, variables)
        alone = NETWORK(values[:1, :n, :d], marks[:1, :n, :d])
        close(edges[:1, :d, :d], alone.edge_logits)
        close(scores[:1, :d], alone.scores)
        close(scores[1:], NETWORK(values[1:], marks[1:]).scores)


def test_the_network_sees_who_was_set_and_tells_variables_apart():
    values, marks = table()
    with torch.inference_mode():
        one, other = NETWORK(values, marks), NETWORK(values, ~marks)
    assert (one.edge_logits - other.edge_logits).abs().max() > 1e-4
    assert (one.scores - other.scores).abs().max() > 1e-4
    assert one.scores.std(1).min() > 1e-4


def test_positional_encoding_tells_columns_apart_by_their_position():
    some = network(use_positional_encoding=True)
    column = torch.randn(1, 12, 1, generator=gen())
    values = column.expand(1, 12, 3).contiguous()
    marks = torch.zeros(1, 12, 3, dtype=torch.bool)
    with torch.inference_mode():
        plain, coded = NETWORK(values, marks).scores, some(values, marks).scores
    assert (plain - plain[:, :1]).abs().max() < 1e-5, "equal columns are equal"
    assert coded.diff(dim=1).abs().min() > 1e-3


@pytest.mark.parametrize("q_before_l", [True, False])
def test_the_decoder_that_comes_first_feeds_the_other(q_before_l):
    """R_Q = Dec_Q(R), R_L = Dec_L(R_Q), or the reverse: the first never sees the second."""
    some = network(q_before_l=q_before_l)
    edges, scores = some(*table())
    first, second = some.decode_order, some.decode_edges
    of_first, of_second = scores, edges
    if not q_before_l:
        first, second, of_first, of_second = second, first, edges, scores

    def reaches(output, block):
        slopes = torch.autograd.grad(
            output.square().sum(), list(block.parameters()), retain_graph=True, allow_unused=True
        )
        return any(g is not None and g.abs().max() > 0 for g in slopes)

    assert reaches(of_first, first)
    assert not reaches(of_first, second)
    assert reaches(of_second, first)
    assert reaches(of_second, second)


# -- orders -------------------------------------------------------------------------------


def test_order_logits_and_precedence_are_those_of_the_card():
    scores = torch.randn(2, 4, generator=gen())
    theta = order_logits(scores)
    for b, i, m in itertools.product(range(2), range(4), range(4)):
        expected = -math.log1p(math.exp(-float(scores[b, i]) * (m + 1)))
        assert float(theta[b, i, m]) == pytest.approx(expected, rel=1e-4)
    triangle = torch.ones(4, 4).triu(1)
    for order in itertools.permutations(range(4)):
        q = torch.zeros(4, 4)
        for m, i in enumerate(order):
            q[i, m] = 1.0
        assert torch.equal(precedence(q), q @ triangle @ q.T)
        assert torch.equal(precedence(q).bool(), before_matrix(order))
        assert torch.equal(order_precedence(torch.tensor(order)), before_matrix(order))
    soft = torch.rand(5, 3, 4, 4, generator=gen())
    torch.testing.assert_close(precedence(soft), soft @ triangle @ soft.mT)


def counts_of(orders):
    codes = [ORDERS.index(tuple(o)) for o in orders.tolist()]
    return np.bincount(codes, minlength=6)


def test_plackett_luce_orders_have_their_probabilities():
    """Chi-square with 5 degrees at p > 1e-4: one false alarm in 10,000 seeds."""
    some = law(seed=1)
    n = 20_000
    p = [order_probability(some.scores[0].tolist(), o) for o in ORDERS]
    assert sum(p) == pytest.approx(1)
    counts = counts_of(some.orders(n, gen(2))[:, 0])
    assert stats.chisquare(counts, n * np.array(p)).pvalue > 1e-4


def test_gumbel_sinkhorn_orders_are_the_best_of_all_noisy_assignments():
    """Two samples of 3000, ours and one by trying all six orders: chi-square, p > 1e-4."""
    some = law(seed=1, permutation="gumbel-sinkhorn")
    n = 3000
    ours = counts_of(some.orders(n, gen(2))[:, 0])
    rng = np.random.default_rng(3)
    p = some.scores[0].double().numpy()
    theta = -np.log1p(np.exp(-p[:, None] * np.arange(1, 4)))
    noisy = theta + rng.gumbel(size=(n, 3, 3))
    totals = np.stack([noisy[:, list(o), range(3)].sum(-1) for o in ORDERS], -1)
    theirs = np.bincount(totals.argmax(-1), minlength=6)
    assert stats.chi2_contingency([ours, theirs]).pvalue > 1e-4


@pytest.mark.parametrize("d", [1, 2, 6])
@pytest.mark.parametrize("permutation", LAWS)
def test_every_draw_is_acyclic(permutation, d):
    some = law(d, b=3, permutation=permutation, scale=5.0)
    graphs = some.sample(200, gen())
    assert graphs.shape == (200, 3, d, d)
    assert is_acyclic(graphs).all()
    orders = some.orders(50, gen())
    assert torch.equal(orders.sort(-1).values, torch.arange(d).expand(50, 3, d))


@pytest.mark.parametrize("permutation", LAWS)
def test_marginals_are_the_frequencies_of_draws(permutation):
    """Standard errors of 4000 draws, and of the 1000 orders behind one of the two: 24 z < 4.5."""
    some = law(4, seed=3, b=2, permutation=permutation)
    n = 4000
    p = some.marginals()
    assert p.dtype == torch.float64
    frequency = some.sample(n, gen(9)).double().mean(0)
    by_orders = 1000 if permutation == "gumbel-sinkhorn" else math.inf
    error = (p * (1 - p) / n + p / by_orders).sqrt().clamp_min(1e-12)
    z = (frequency - p) / error
    assert z[:, off_diagonal(4)].abs().max() < 4.5
    assert not p.diagonal(dim1=-2, dim2=-1).any()


def test_plackett_luce_marginals_are_the_sum_over_orders():
    some = law(seed=4)
    phi = some.edge_logits[0].double().sigmoid()
    expected = sum(
        order_probability(some.scores[0].tolist(), o) * phi * before_matrix(o) for o in ORDERS
    )
    torch.testing.assert_close(some.marginals()[0], expected, rtol=1e-6, atol=1e-9)


def joint_terms(some, graph, floor=1e-4):
    """Log of prod_ij Bern(A_ij; p_ij) for each of the six orders."""
    phi = some.edge_logits[0].detach().double().sigmoid()
    out = []
    for o in ORDERS:
        p = (phi * before_matrix(o)).clamp(floor, 1 - floor)
        out.append(float(torch.where(graph, p, 1 - p)[off_diagonal(3)].log().sum()))
    return np.array(out)


def exact_joint(some, graph):
    p = np.array([order_probability(some.scores[0].tolist(), o) for o in ORDERS])
    return p, np.exp(joint_terms(some, graph))


@pytest.mark.parametrize("which", [0, 7, 24])
def test_log_probabilities_are_means_over_orders(which):
    """1000 orders against all six by their probability: z < 4.5, one false alarm in 150,000."""
    some, graph = law(seed=5), all_dags(3)[which]
    p, values = exact_joint(some, graph)
    mean = p @ values
    deviation = math.sqrt(p @ (values - mean) ** 2 / 1000)
    got = math.exp(float(some.log_prob(graph[None])[0]))
    assert abs(got - mean) < 4.5 * deviation + 1e-6 * mean


# -- objectives ---------------------------------------------------------------------------


@pytest.mark.parametrize("permutation", LAWS)
def test_the_marginal_loss_is_the_cross_entropy_of_the_mean_probability(permutation):
    """The published form, log of the mean over orders of each edge's probability, is the same."""
    some = network(permutation=permutation)
    logits, scores = torch.randn(2, 3, 3, generator=gen()), torch.randn(2, 3, generator=gen(1))
    logits = (logits + logits.mT) / 2
    graphs = torch.tensor([[[0, 1, 1], [0, 0, 0], [0, 1, 0]], [[0, 0, 0]] * 3]).bool()
    prediction = type(NETWORK(*table()))(logits, scores)
    loss, parts = some.loss(prediction, graphs, gen(7))
    phi = logits.sigmoid()
    if permutation == "plackett-luce":
        before = torch.stack([before_matrix(o) for o in ORDERS])[:, None].float()
        weights = torch.tensor([[order_probability(s, o) for s in scores.tolist()] for o in ORDERS])
    else:
        before, _ = training_precedence(scores, some.config, gen(7))
        weights = torch.full((len(before), 2), 1 / len(before))
    p = (phi * before).clamp(1e-12, 1 - 1e-7)
    bernoulli = torch.where(graphs, p, 1 - p)
    published = -(weights[..., None, None] * bernoulli).sum(0).log()
    assert float(loss) == pytest.approx(float(published[:, off_diagonal(3)].mean()), rel=1e-4)
    assert parts["cross_entropy"].item() == pytest.approx(loss.item())
    mean = (weights[..., None, None] * phi * before).sum(0)
    expected = torch.nn.functional.binary_cross_entropy(
        mean[:, off_diagonal(3)], graphs[:, off_diagonal(3)].float(), reduction="none"
    ).mean(1)
    close(marginal_loss(mean, graphs), expected)


def test_the_joint_loss_is_finite_with_orders_against_the_graph():
    """Every edge against the order costs -log 1e-4; per ordered pair."""
    graph = before_matrix((2, 1, 0))[None]
    before = before_matrix((0, 1, 2))[None, None].float().expand(5, 1, 3, 3)
    logits = torch.zeros(1, 3, 3, requires_grad=True)
    loss = joint_loss(logits, before, graph)
    expected = -(3 * math.log(1e-4) + 3 * math.log(0.5)) / 6
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    for value in (50.0, -50.0):
        extreme = torch.full((1, 3, 3), value, requires_grad=True)
        loss = joint_loss(extreme, before, graph)
        (slope,) = torch.autograd.grad(loss.sum(), extreme)
        assert loss.isfinite().all()
        assert slope.isfinite().all()


def test_the_joint_loss_of_given_orders_is_the_log_of_their_mean():
    some, graph = law(seed=6), all_dags(3)[13]
    chosen = [ORDERS[k] for k in (0, 0, 3, 5)]
    before = torch.stack([before_matrix(o) for o in chosen])[:, None].float()
    terms = joint_terms(some, graph)
    expected = -math.log(np.mean([np.exp(terms[ORDERS.index(o)]) for o in chosen])) / 6
    got = joint_loss(some.edge_logits, before, graph[None])
    assert float(got[0]) == pytest.approx(expected, rel=1e-5)


def test_the_joint_objective_is_the_sum_over_all_orders():
    """20,000 Plackett-Luce orders against all six by their probability, delta method: z < 4.5."""
    k = 20_000
    some = network(permutation="plackett-luce", objective="joint", n_permutations=k)
    target, graph = law(seed=7), all_dags(3)[9]
    prediction = type(NETWORK(*table()))(target.edge_logits, target.scores)
    loss, parts = some.loss(prediction, graph[None], gen(1))
    p, values = exact_joint(target, graph)
    mean = p @ values
    standard = math.sqrt(p @ (values - mean) ** 2 / k) / mean / 6
    assert abs(float(loss) + math.log(mean) / 6) < 4.5 * standard
    assert parts["joint_nll"].item() == pytest.approx(loss.item())


def test_the_joint_gradient_is_that_of_the_exact_loss():
    """30 estimates of 4000 orders against finite differences of the enumerated loss.

    Student with 29 degrees, 3 scores and 3 logits at 5.5 each: 4e-5 false alarms. The bias of the
    log of a mean is of order 1 / 4000 and far below the error.
    """
    base, graph = law(seed=8), all_dags(3)[13]
    pairs = [(0, 1), (0, 2), (1, 2)]

    def exact(vector):
        scores, s = vector[:3], torch.zeros(1, 3, 3, dtype=torch.float64)
        for value, (i, j) in zip(vector[3:], pairs, strict=True):
            s[0, i, j] = s[0, j, i] = value
        moved = OrderedEdges(s.float(), torch.tensor(np.array([scores])).float(), base.config)
        phi = s[0].sigmoid()
        total = 0.0
        for o in ORDERS:
            p = (phi * before_matrix(o)).clamp(1e-4, 1 - 1e-4)
            bern = torch.where(graph, p, 1 - p)[off_diagonal(3)].prod()
            total += order_probability(scores, o) * float(bern)
        assert moved.config is base.config
        return -math.log(total) / 6

    at = np.array(base.scores[0].tolist() + [float(base.edge_logits[0, i, j]) for i, j in pairs])
    step = 1e-5
    slopes = np.array(
        [(exact(at + step * e) - exact(at - step * e)) / (2 * step) for e in np.eye(6)]
    )
    some = network(permutation="plackett-luce", objective="joint", n_permutations=4000)
    estimates = []
    for seed in range(30):
        logits = base.edge_logits.clone().requires_grad_()
        scores = base.scores.clone().requires_grad_()
        prediction = type(NETWORK(*table()))(logits, scores)
        loss, _ = some.loss(prediction, graph[None], gen(seed))
        by_logit, by_score = torch.autograd.grad(loss, (logits, scores))
        both = by_logit + by_logit.mT
        estimates.append(by_score[0].tolist() + [float(both[0, i, j]) for i, j in pairs])
    estimates = np.array(estimates)
    standard = estimates.std(0, ddof=1) / math.sqrt(30)
    assert np.abs(slopes[:3]).max() > 0.02
    assert (np.abs(estimates.mean(0) - slopes) < 5.5 * standard + 1e-5).all()


def test_sinkhorn_orders_are_hard_and_their_gradient_reaches_every_score():
    scores = torch.randn(2, 4, generator=gen()).requires_grad_()
    before, ratio = training_precedence(scores, config(n_permutations=8), gen(1))
    assert ratio is None
    assert before.shape == (8, 2, 4, 4)
    rounded = before.detach().round()
    close(before.detach(), rounded)
    assert is_acyclic(rounded.bool()).all()
    assert (rounded + rounded.mT)[..., off_diagonal(4)].eq(1).all()
    target = torch.rand(4, 4, generator=gen(2))
    (slope,) = torch.autograd.grad((before * target).sum(), scores)
    assert slope.isfinite().all()
    assert slope.abs().min() > 1e-6


@pytest.mark.parametrize("objective", ["marginal", "joint"])
@pytest.mark.parametrize("permutation", LAWS)
def test_either_objective_finds_the_order_of_one_known_graph(objective, permutation):
    """Free scores and logits instead of a network: the gradient must lead to 1 -> 2 -> 0.

    Whole graphs with Sinkhorn orders may get stuck with one pair undecided: a variable whose
    score is large is indifferent to its position. So the mean over the edges is what is asked.
    """
    some = network(permutation=permutation, objective=objective, n_permutations=16)
    graph = torch.zeros(1, 3, 3, dtype=torch.bool)
    graph[0, 1, 2] = graph[0, 2, 0] = graph[0, 1, 0] = True
    scores = torch.zeros(1, 3, requires_grad=True)
    logits = torch.zeros(1, 3, 3, requires_grad=True)
    optimiser = torch.optim.Adam([scores, logits], lr=0.2)
    generator = gen()
    kind = type(NETWORK(*table()))
    for _ in range(80):
        loss, _ = some.loss(kind((logits + logits.mT) / 2, scores), graph, generator)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    prediction = kind(((logits + logits.mT) / 2).detach(), scores.detach())
    p = some.distribution(prediction).marginals()[0]
    assert p[graph[0]].mean() > 0.75
    assert p[~graph[0]].mean() < 0.15


# -- knowledge ----------------------------------------------------------------------------

NAMES = tuple("abcd")
PAIRS = list(itertools.permutations(NAMES, 2))
STATEMENTS = st.fixed_dictionaries(
    {
        "required": st.lists(st.sampled_from(PAIRS), max_size=3, unique=True),
        "forbidden": st.lists(st.sampled_from(PAIRS), max_size=4, unique=True),
        "tiers": st.sampled_from([(), (("b",), ("a", "d")), (("c", "d"), ("a",), ("b",))]),
        "roots": st.sampled_from([(), ("c",), ("b",)]),
        "sinks": st.sampled_from([(), ("d",), ("a",)]),
    }
)


def constraints(names=NAMES, **statements):
    c = Knowledge(**statements).constraints(names)
    return c._replace(forbidden=c.forbidden | torch.eye(len(names)).bool())


@settings(max_examples=30)
@given(
    statements=STATEMENTS,
    permutation=st.sampled_from(LAWS),
    scale=st.sampled_from([1.0, 10.0, 60.0]),
    seed=st.integers(0, 2**31),
)
def test_hard_statements_hold_in_every_draw_and_weights_are_finite(
    statements, permutation, scale, seed
):
    try:
        c = constraints(**statements)
    except InputError:
        return  # a contradiction
    some = law(4, seed, permutation, scale=scale)
    draws = some.draw_dags(c, 40, gen(seed))
    assert is_acyclic(draws.graphs).all()
    assert c.allows(draws.graphs).all()
    assert draws.log_weights.exp().sum().item() == pytest.approx(1.0)
    assert draws.marginals.isfinite().all()
    assert (draws.marginals >= 0).all()
    assert (draws.marginals <= 1 + 1e-9).all()


@pytest.mark.parametrize("permutation", LAWS)
def test_an_edge_that_is_certain_and_forbidden_both_ways_leaves_finite_weights(permutation):
    """A logit of 40 rounds to probability 1 in float64, but 1 - p is e^-40."""
    some = OrderedEdges(torch.full((1, 3, 3), 40.0), torch.zeros(1, 3), config())
    c = constraints("abc", forbidden=["a -> b", "b -> a"])
    draws = some.draw_dags(c, 30, gen())
    assert draws.log_weights.isfinite().all()
    assert c.allows(draws.graphs).all()
    assert draws.marginals.isfinite().all()


def test_required_edges_against_all_odds_still_hold():
    """Scores that put c, b, a in this order for certain; knowledge says the reverse."""
    some = OrderedEdges(
        torch.full((1, 3, 3), -30.0),
        torch.tensor([[-40.0, 0.0, 40.0]]),
        config(permutation="plackett-luce"),
    )
    c = constraints("abc", required=["a -> b", "b -> c"])
    draws = some.draw_dags(c, 25, gen())
    assert draws.facts["share_orders_sorted"] == 1
    assert is_acyclic(draws.graphs).all()
    assert c.allows(draws.graphs).all()


@pytest.mark.parametrize(
    "statements",
    [
        {},
        {"required": ["a -> b"]},
        {"forbidden": ["a -> b", "c -> b"]},
        {"roots": ["b"]},
        {"tiers": [["c"], ["a", "b"]], "sinks": ["a"]},
        {"beliefs": {"a -> b": 0.9, "c -> b": 0.05}},
        {"required": ["a -> c"], "forbidden": ["b -> c"], "beliefs": {"a -> b": 0.8}},
    ],
)
def test_weighted_draws_follow_the_law_given_the_knowledge(statements):
    """Against all graphs and orders: P(G | K) is proportional to sum_o P(o) P(G | o) odds(G) 1[K].

    25 graphs at 5 standard errors of the weighted mean: 1e-5 false alarms for each case; and the
    marginals, which use orders only, within the same.
    """
    some, c, n = law(seed=11, scale=0.2), constraints("abc", **statements), 8000
    phi = some.edge_logits[0].double().sigmoid()
    exact = []
    for g in all_dags(3):
        total = 0.0
        for o in ORDERS:
            p = phi * before_matrix(o)
            bern = torch.where(g, p, 1 - p)[off_diagonal(3)].prod()
            total += order_probability(some.scores[0].tolist(), o) * float(bern)
        odds = math.exp(float((c.log_odds * g).sum()))
        exact.append(total * odds * float(c.allows(g[None])[0]))
    exact = np.array(exact) / np.sum(exact)
    draws = some.draw_dags(c, n, gen(12))
    assert draws.facts["share_orders_sorted"] == 0
    w = draws.log_weights.exp().numpy()
    hit = (draws.graphs[:, None] == all_dags(3)).all(-1).all(-1).numpy()
    error = np.sqrt(((w[:, None] * (hit - exact)) ** 2).sum(0))
    floor = np.sqrt(exact * (1 - exact) / n) + 1e-9
    assert (np.abs(w @ hit - exact) < 5 * np.maximum(error, floor)).all()
    edges = np.einsum("s,sij->ij", exact, all_dags(3).numpy())
    spread = np.sqrt((w**2).sum())
    assert np.abs(draws.marginals.numpy() - edges).max() < 5 * 0.5 * spread
    if not statements:
        torch.testing.assert_close(draws.marginals, some.marginals()[0])
        assert np.ptp(w) < 1e-12


# -- options ------------------------------------------------------------------------------

CHANGED = {
    "dim": 24,
    "n_heads": 4,
    "ff_dim": 20,
    "n_layers": 4,
    "n_layers_decoder": 4,
    "dropout": 0.3,
    "emb_depth": 2,
    "q_before_l": False,
    "use_positional_encoding": True,
    "permutation": "plackett-luce",
    "objective": "joint",
    "n_permutations": 7,
    "sinkhorn_iterations": 1,
    "temperature": 0.5,
}


def behaviour(**options):
    """What a run would see: parameters, a training forward, the loss, a gradient."""
    some = network(**options).train()
    values, marks = table()
    with seeded(gen(3)):
        prediction = some(values, marks)
    loss, parts = some.loss(prediction, torch.ones(2, 4, 4).triu(1).bool(), gen())
    (slope,) = torch.autograd.grad(loss, prediction.scores)
    out = [sum(p.numel() for p in some.parameters()), *parts, loss.item()]
    for t in (*prediction, slope):
        out += t.detach().flatten().tolist()
    return out


@pytest.mark.parametrize("name", [f.name for f in fields(BCNPConfig)])
def test_every_option_changes_something(name):
    assert behaviour() == behaviour()
    assert behaviour(**{name: CHANGED[name]}) != behaviour()


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_embedding_has_as_many_maps_as_stated(depth):
    maps = [m for m in network(emb_depth=depth).embed if isinstance(m, torch.nn.Linear)]
    assert len(maps) == depth
    assert all(m.bias is None for m in maps), "the query row of zeros must stay zero"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_layers": 3}, "n_layers must be even, got 3"),
        ({"n_layers_decoder": 5}, "n_layers_decoder must be even"),
        ({"dim": 10, "n_heads": 4}, "dim=10 is not divisible by n_heads=4"),
        ({"dropout": 1.0}, "dropout"),
        ({"temperature": 0.0}, "temperature"),
        ({"n_permutations": 0}, "n_permutations"),
    ],
)
def test_options_out_of_range_are_named(change, message):
    with pytest.raises(InputError, match=message):
        BCNPConfig(**change)


def test_the_first_layer_sees_the_size_of_a_value_and_not_only_its_sign():
    """A plain linear embedding without bias would give LayerNorm(2 w) = LayerNorm(w)."""
    net, seen = network(), []
    net.encoder.blocks[0].norm_attention.register_forward_hook(lambda _, __, out: seen.append(out))
    values = torch.tensor([0.5, 1.0, 2.0, 4.0])[None, :, None]
    with torch.no_grad():
        net(values, torch.zeros_like(values, dtype=torch.bool))
    rows = seen[0][0, 0, :4]
    assert (rows[1:] - rows[:-1]).abs().amax(1).min() > 0.01


def test_set_values_are_told_from_observed_ones():
    values = torch.randn(1, 8, 3, generator=gen())
    marks = torch.zeros(1, 8, 3, dtype=torch.bool)
    with torch.no_grad():
        plain = network()(values, marks)
        marks[0, :4, 1] = True
        marked = network()(values, marks)
    assert not torch.allclose(plain.edge_logits, marked.edge_logits)


def test_the_query_row_is_learned():
    net = network()
    values = torch.randn(1, 8, 3, generator=gen())
    out = net(values, torch.zeros(1, 8, 3, dtype=torch.bool))
    (out.edge_logits.sum() + out.scores.square().sum()).backward()
    assert net.query_row.grad is not None
    assert net.query_row.grad.abs().max() > 0
