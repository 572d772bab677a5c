"""AVICI: symmetries of the network, loss and dual by hand, the law against enumeration."""

import itertools
import math
from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from aetia.discovery import AVICIConfig
from aetia.discovery.amortised import build_network
from aetia.discovery.avici.dual import DualAscent
from aetia.discovery.avici.edges import IndependentEdges, edge_cross_entropy
from aetia.discovery.avici.network import AVICINetwork
from aetia.errors import InputError
from aetia.graphs import Constraints, Knowledge, all_dags, greedy_dag, is_acyclic
from aetia.nets import seeded

SMALL = {"dim": 16, "n_layers": 2, "n_heads": 2, "head_dim": None}


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def network(seed=0, **options):
    return build_network(AVICINetwork, AVICIConfig(**(SMALL | options)), seed).eval()


NETWORK = network()


def table(b=2, n=12, d=4, seed=0):
    g = gen(seed)
    return torch.randn(b, n, d, generator=g), torch.rand(b, n, d, generator=g) < 0.2


def off_diagonal(d):
    return ~torch.eye(d, dtype=torch.bool)


def same_edges(got, expected):
    keep = off_diagonal(got.shape[-1])
    torch.testing.assert_close(got[..., keep], expected[..., keep], rtol=1e-5, atol=1e-5)


def unconstrained(d):
    none = torch.zeros(d, d, dtype=torch.bool)
    return Constraints(none, torch.eye(d).bool(), torch.zeros(d, d, dtype=torch.float64))


# -- the network --------------------------------------------------------------------------

sizes = {"n": st.integers(1, 20), "d": st.integers(1, 6), "seed": st.integers(0, 2**31)}


@settings(max_examples=15)
@given(**sizes)
def test_permuting_rows_changes_nothing_and_permuting_variables_permutes_both_axes(n, d, seed):
    values, marks = table(2, n, d, seed)
    rows = torch.randperm(n, generator=gen(seed))
    columns = torch.randperm(d, generator=gen(seed + 1))
    with torch.inference_mode():
        logits = NETWORK(values, marks)
        assert logits.shape == (2, d, d)
        assert logits.dtype == torch.float32
        same_edges(NETWORK(values[:, rows], marks[:, rows]), logits)
        same_edges(
            NETWORK(values[..., columns], marks[..., columns]), logits[:, columns][..., columns]
        )


@settings(max_examples=15)
@given(**sizes, more_rows=st.integers(0, 5), more_columns=st.integers(0, 3))
def test_padding_changes_nothing_whatever_is_in_it(n, d, seed, more_rows, more_columns):
    """Two tables of different sizes in one batch, padded with junk, agree with each alone."""
    big = (n + more_rows, d + more_columns)
    values, marks = table(2, *big, seed)
    values[0, n:], values[0, :, d:] = 7.0, -3.0
    rows = torch.ones(2, big[0], dtype=torch.bool)
    variables = torch.ones(2, big[1], dtype=torch.bool)
    rows[0, n:], variables[0, d:] = False, False
    with torch.inference_mode():
        together = NETWORK(values, marks, rows, variables)
        same_edges(together[:1, :d, :d], NETWORK(values[:1, :n, :d], marks[:1, :n, :d]))
        same_edges(together[1:], NETWORK(values[1:], marks[1:]))


@pytest.mark.parametrize(("tau", "b"), [(2.0, -3.0), (0.0, 0.0), (3.5, 1.0)])
def test_logits_stay_within_the_bounds_of_the_cosine_form(tau, b):
    some = network(initial_log_scale=tau, initial_bias=b)
    for d in (1, 2, 7):
        values, marks = table(3, 10, d, seed=d)
        with torch.inference_mode():
            logits = some(100 * values, marks)
        assert logits.min() >= b - math.exp(tau) - 1e-4
        assert logits.max() <= b + math.exp(tau) + 1e-4


def test_the_network_sees_who_was_set_and_tells_directions_apart():
    values, marks = table()
    with torch.inference_mode():
        one, other = NETWORK(values, marks), NETWORK(values, ~marks)
    keep = off_diagonal(4)
    assert (one - other)[:, keep].abs().max() > 1e-3
    assert (one - one.mT)[:, keep].abs().max() > 1e-3


def test_the_answer_to_one_table_does_not_depend_on_the_others_in_its_batch():
    values, marks = table(3)
    with torch.inference_mode():
        same_edges(NETWORK(values, marks)[1:2], NETWORK(values[1:2], marks[1:2]))


def test_the_defaults_have_the_papers_parameter_count():
    """The card measured 4.27 M with three normalisations in a block; one is 4.26 M."""
    with torch.device("meta"):
        count = sum(p.numel() for p in AVICINetwork(AVICIConfig()).parameters())
    assert count == pytest.approx(4.26e6, abs=0.01e6)


def test_half_precision_stops_before_the_logits():
    values, marks = table()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = NETWORK(values, marks)
        loss, _ = NETWORK.loss(logits, torch.zeros(2, 4, 4).bool(), gen())
    assert logits.dtype == loss.dtype == torch.float32
    same = NETWORK(values, marks)
    assert (logits - same)[:, off_diagonal(4)].abs().max() < 1.0


# -- the loss -----------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_the_cross_entropy_of_real_off_diagonal_pairs(smoothing):
    logits = 3 * torch.randn(3, 4, 4, generator=gen())
    graphs = torch.rand(3, 4, 4, generator=gen(1)) < 0.4
    variables = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 1], [0, 1, 0, 0]]).bool()
    expected = []
    for b in range(3):
        costs = []
        for i, j in itertools.permutations(np.flatnonzero(variables[b].numpy()), 2):
            p = 1 / (1 + math.exp(-float(logits[b, i, j])))
            y = (1 - smoothing) if graphs[b, i, j] else smoothing
            costs.append(-y * math.log(p) - (1 - y) * math.log(1 - p))
        expected.append(np.mean(costs) if costs else 0.0)
    got = edge_cross_entropy(logits, graphs, variables, label_smoothing=smoothing)
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    assert got.dtype == torch.float32


def test_the_diagonal_is_ignored():
    logits, graphs = torch.randn(2, 3, 3, generator=gen()), torch.zeros(2, 3, 3).bool()
    other = logits + 50 * torch.eye(3)
    assert torch.equal(edge_cross_entropy(logits, graphs), edge_cross_entropy(other, graphs))
    one, two = IndependentEdges(logits), IndependentEdges(other)
    assert torch.equal(one.marginals(), two.marginals())
    assert not one.marginals().diagonal(dim1=-2, dim2=-1).any()
    assert not one.sample(50, gen()).diagonal(dim1=-2, dim2=-1).any()


def test_log_probabilities_are_those_of_coins_and_finite_at_logits_of_40():
    logits = torch.randn(1, 3, 3, generator=gen())
    law = IndependentEdges(logits)
    p = logits[0].double().sigmoid()
    for g in all_dags(3)[::4]:
        coins = torch.where(g, p, 1 - p)[off_diagonal(3)]
        assert float(law.log_prob(g[None])[0]) == pytest.approx(float(coins.log().sum()), rel=1e-5)
    total = sum(law.log_prob(_graph(bits)).exp() for bits in itertools.product([0, 1], repeat=6))
    assert float(total) == pytest.approx(1.0, abs=1e-5)
    sure = torch.full((1, 3, 3), 40.0)
    for sign in (1, -1):
        for graph in (torch.zeros(1, 3, 3).bool(), torch.ones(1, 3, 3).bool()):
            value = float(IndependentEdges(sign * sure).log_prob(graph)[0])
            wrong = graph.any() != (sign > 0)
            assert value == pytest.approx(-240.0 if wrong else 0.0, abs=1e-3)


def _graph(bits):
    g = torch.zeros(3, 3, dtype=torch.bool)
    g[off_diagonal(3)] = torch.tensor(bits).bool()
    return g[None]


def test_the_lagrangian_adds_the_multiplier_times_the_spectral_radius():
    some = network()
    prediction = torch.randn(4, 5, 5, generator=gen()).requires_grad_()
    graphs = torch.zeros(4, 5, 5).bool()
    plain, parts = some.loss(prediction, graphs, gen())
    (without,) = torch.autograd.grad(plain, prediction)
    assert parts["penalty"].item() == 0
    assert plain.item() == pytest.approx(edge_cross_entropy(prediction, graphs).mean().item())
    some.dual.multiplier.fill_(2.0)
    total, parts = some.loss(prediction, graphs, gen())
    p = (prediction.detach().sigmoid() * off_diagonal(5)).double()
    radius = torch.linalg.eigvals(p).abs().amax(-1).mean()
    assert float(parts["spectral_radius"]) == pytest.approx(float(radius), rel=1e-3)
    assert (total - plain).item() == pytest.approx(2 * float(radius), rel=1e-3)
    (with_it,) = torch.autograd.grad(total, prediction)
    pull = (with_it - without)[:, off_diagonal(5)]
    assert (pull >= 0).all(), "the constraint pushes every probability down"
    assert pull.max() > 0.01


@pytest.mark.parametrize("scale", [1.0, 10.0, 40.0])
def test_loss_and_gradient_are_finite_and_the_radius_is_possible(scale):
    """Whatever the logits, the radius of d nodes is at most d - 1 and its pull at most the same.

    Entries of u v' W / u'v sum to the radius, so no gradient can explode.
    """
    some = network()
    some.dual.multiplier.fill_(1.0)
    for seed in range(20):
        logits = (scale * torch.randn(50, 6, 6, generator=gen(seed))).requires_grad_()
        loss, parts = some.loss(logits, torch.zeros(50, 6, 6).bool(), gen())
        (slope,) = torch.autograd.grad(loss, logits)
        assert slope.isfinite().all()
        assert 0 <= float(parts["spectral_radius"]) <= 5
        assert slope.sum((-2, -1)).abs().max() * 50 < 1 + 5.0


# -- the dual -----------------------------------------------------------------------------


def multipliers(config, radii, n_steps):
    dual = DualAscent(config)
    return [dual.update(k, n_steps, r)["multiplier"] for k, r in enumerate(radii)], dual


def test_the_multiplier_follows_dual_ascent_on_the_running_mean():
    config = AVICIConfig(dual_step=0.3, dual_every=3, dual_warmup=10, dual_decay=0.8)
    radii = np.random.default_rng(0).uniform(0, 2, 20)
    got, _ = multipliers(config, radii.tolist(), 20)
    mean, multiplier = radii[0], 0.0
    for t, radius in enumerate(radii):
        if t:
            mean = 0.8 * mean + 0.2 * radius
        if (t + 1) % 3 == 0:
            multiplier += 0.3 * min(1, (t + 1) / 10) * mean
        assert got[t] == pytest.approx(multiplier, rel=1e-4)
    assert np.all(np.diff(got) >= 0)
    assert got[-1] > 0


def test_no_cycles_or_no_step_leave_the_multiplier_at_zero():
    assert not any(multipliers(AVICIConfig(dual_step=0.1, dual_every=1), [0.0] * 9, 9)[0])
    assert not any(multipliers(AVICIConfig(dual_step=0.0, dual_every=1), [2.0] * 9, 9)[0])


def test_automatic_intervals_are_shares_of_the_run():
    """A 600th between updates, and a sixth to warm up (card, 2.4)."""
    got, _ = multipliers(AVICIConfig(dual_step=1.0), [1.0] * 1200, 1200)
    moved = np.flatnonzero(np.diff([0.0, *got]))
    np.testing.assert_array_equal(moved, np.arange(1, 1200, 2))
    steps = np.diff([0.0, *got])[moved]
    np.testing.assert_allclose(steps, np.minimum(1, (moved + 1) / 200), rtol=2e-3)
    short, _ = multipliers(AVICIConfig(dual_step=1.0, dual_warmup=0), [1.0] * 12, 12)
    np.testing.assert_allclose(short, np.arange(1, 13), rtol=1e-6)


def test_the_multiplier_has_a_bound_and_survives_steps_that_are_not_finite():
    config = AVICIConfig(dual_step=1.0, dual_every=1, dual_warmup=0, largest_multiplier=2.5)
    got, dual = multipliers(config, [1.0, math.nan, 1.0, 1.0, math.inf, 1.0], 6)
    assert got == pytest.approx([1.0, 1.0, 2.0, 2.5, 2.5, 2.5])
    assert dual.running_mean.isfinite()


def test_the_dual_is_in_checkpoints():
    some, other = network(dual_step=0.5, dual_every=1), network(dual_step=0.5, dual_every=1)
    for k in range(5):
        signals = some.after_step(k, 30, {"spectral_radius": 0.7, "loss": 1.0})
    assert signals["multiplier"] > 0
    other.load_state_dict(some.state_dict())
    more = [n.after_step(5, 30, {"spectral_radius": 0.4}) for n in (some, other)]
    assert more[0] == more[1]
    assert more[0]["multiplier"] > signals["multiplier"]


# -- draws without cycles -----------------------------------------------------------------

ALL_64 = torch.cat([_graph(bits) for bits in itertools.product([0, 1], repeat=6)])


@pytest.mark.parametrize("seed", [0, 1])
def test_draws_follow_the_law_on_dags_plus_what_repair_moves_there(seed):
    """Chi-square over the 25 DAGs against all 64 graphs: p > 1e-4; and a binomial share, z < 4.

    One false alarm in about 6000 seeds. The raw draws without cycles are 24 degrees of it.
    """
    n = 20_000
    logits = torch.randn(1, 3, 3, generator=gen(seed)) - 0.5
    p = logits[0].double().sigmoid()
    prob = torch.where(ALL_64, p, 1 - p)[:, off_diagonal(3)].prod(-1)
    mass = {}
    for g, q in zip(ALL_64, prob.tolist(), strict=True):
        end = greedy_dag(g, p)
        mass[end.numpy().tobytes()] = mass.get(end.numpy().tobytes(), 0.0) + q
    draws = IndependentEdges(logits).draw_dags(unconstrained(3), n, gen(seed + 10))
    assert is_acyclic(draws.graphs).all()
    keys = list(mass)
    assert len(keys) == 25
    counts = np.zeros(25)
    for g in draws.graphs.numpy():
        counts[keys.index(g.tobytes())] += 1
    expected = n * np.array([mass[k] for k in keys])
    assert stats.chisquare(counts, expected).pvalue > 1e-4
    cyclic = float(prob[~is_acyclic(ALL_64)].sum())
    share = draws.facts["share_cyclic"]
    assert abs(share - cyclic) < 4 * math.sqrt(cyclic * (1 - cyclic) / n)
    torch.testing.assert_close(draws.marginals, p * off_diagonal(3))
    assert not draws.log_weights.diff().any()
    assert draws.log_weights.shape == (n,)


def test_raw_draws_without_cycles_are_the_law_restricted_to_dags():
    """Chi-square with 24 degrees at p > 1e-4: one false alarm in 10,000 seeds."""
    logits = torch.randn(1, 3, 3, generator=gen(5)) - 0.5
    law = IndependentEdges(logits)
    raw = law.sample(20_000, gen(6))[:, 0]
    keep = is_acyclic(raw)
    kept = raw[keep]
    weights = torch.stack([law.log_prob(g[None])[0] for g in all_dags(3)]).exp()
    expected = weights / weights.sum() * len(kept)
    counts = (kept[:, None] == all_dags(3)).all(-1).all(-1).sum(0)
    assert stats.chisquare(counts.numpy(), expected.numpy()).pvalue > 1e-4
    out = law.draw_dags(unconstrained(3), 20_000, gen(6))
    assert torch.equal(out.graphs[keep], kept)
    assert out.facts["share_cyclic"] == pytest.approx(1 - float(keep.double().mean()))


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


@settings(max_examples=60)
@given(statements=STATEMENTS, scale=st.sampled_from([1.0, 40.0]), seed=st.integers(0, 2**31))
def test_hard_statements_hold_in_every_draw(statements, scale, seed):
    try:
        knowledge = Knowledge(**statements)
    except InputError:
        return  # a contradiction
    c = knowledge.constraints(NAMES)
    c = c._replace(forbidden=c.forbidden | torch.eye(4).bool())
    logits = scale * torch.randn(1, 4, 4, generator=gen(seed))
    draws = IndependentEdges(logits).draw_dags(c, 60, gen(seed))
    assert is_acyclic(draws.graphs).all()
    assert c.allows(draws.graphs).all()
    assert (draws.marginals[c.required] == 1).all()
    assert (draws.marginals[c.forbidden] == 0).all()


def test_beliefs_multiply_the_odds():
    knowledge = Knowledge(beliefs={"a -> b": 0.8, "c -> a": 0.1})
    c = knowledge.constraints(NAMES)
    c = c._replace(forbidden=c.forbidden | torch.eye(4).bool())
    logits = torch.randn(1, 4, 4, generator=gen())
    before = IndependentEdges(logits).marginals()[0]
    after = IndependentEdges(logits).draw_dags(c, 10, gen()).marginals
    odds = (after / (1 - after)) / (before / (1 - before))
    factors = torch.ones(4, 4, dtype=torch.float64)
    factors[0, 1], factors[2, 0] = 0.8 / 0.2, 0.1 / 0.9
    keep = off_diagonal(4)
    torch.testing.assert_close(odds[keep], factors[keep], rtol=1e-5, atol=0)


def test_one_variable_and_one_draw_are_no_special_case():
    law = IndependentEdges(torch.zeros(1, 1, 1))
    draws = law.draw_dags(unconstrained(1), 1, gen())
    assert draws.graphs.shape == (1, 1, 1)
    assert not draws.graphs.any()
    assert float(law.log_prob(draws.graphs)[0]) == 0


# -- options ------------------------------------------------------------------------------

CHANGED = {
    "dim": 24,
    "n_layers": 1,
    "n_heads": 4,
    "head_dim": 5,
    "ff_dim": 20,
    "dropout": 0.3,
    "initial_log_scale": 1.0,
    "initial_bias": -1.0,
    "label_smoothing": 0.1,
    "dual_step": 0.2,
    "dual_every": 3,
    "dual_warmup": 5,
    "dual_decay": 0.5,
    "largest_multiplier": 1e-5,
}


def behaviour(**options):
    """What a run would see: parameters, a training forward, the loss, ten dual updates."""
    some = network(**({"dual_step": 0.1} | options)).train()
    values, marks = table()
    with seeded(gen(3)):
        logits = some(values, marks)
    loss, _ = some.loss(logits, torch.ones(2, 4, 4).triu(1).bool(), gen())
    seen = [some.after_step(k, 1200, {"spectral_radius": k / 5})["multiplier"] for k in range(10)]
    count = sum(p.numel() for p in some.parameters())
    return [count, loss.item(), *logits.detach().flatten().tolist(), *seen]


@pytest.mark.parametrize("name", [f.name for f in fields(AVICIConfig)])
def test_every_option_changes_something(name):
    assert behaviour() == behaviour()
    assert behaviour(**{name: CHANGED[name]}) != behaviour()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": 0}, "dim must be larger than 0, got 0"),
        ({"dim": 10, "n_heads": 3, "head_dim": None}, "dim=10 is not divisible by n_heads=3"),
        ({"dropout": 1.0}, "dropout"),
        ({"label_smoothing": 0.5}, "label_smoothing"),
        ({"dual_decay": -0.1}, "dual_decay"),
        ({"dual_step": -1e-4}, "dual_step"),
        ({"dual_every": 0}, "dual_every"),
        ({"largest_multiplier": 0.0}, "largest_multiplier"),
    ],
)
def test_options_out_of_range_are_named(change, message):
    with pytest.raises(InputError, match=message):
        AVICIConfig(**change)


def test_the_first_layer_sees_the_size_of_a_value_and_not_only_its_sign():
    """With biases at zero, LayerNorm(2 w) would equal LayerNorm(w)."""
    net, seen = network(), []
    net.encoder.blocks[0].norm_attention.register_forward_hook(lambda _, __, out: seen.append(out))
    values = torch.tensor([0.5, 1.0, 2.0, 4.0])[None, :, None]
    with torch.no_grad():
        net(values, torch.zeros_like(values, dtype=torch.bool))
    rows = seen[0][0, :4, 0]
    assert (rows[1:] - rows[:-1]).abs().amax(1).min() > 0.01
