"""Laws of simulated tasks: interventions, signal, processes, and splits, at larger counts."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy import stats

from aetia.graphs import transitive_closure
from aetia.scm import (
    MECHANISM_FAMILIES,
    EdgeCoins,
    Family,
    FixedTasks,
    GaussianProcess,
    Interventions,
    TaskSize,
    TaskStream,
)

pytestmark = pytest.mark.statistical

NAMES = [name for name in MECHANISM_FAMILIES if name != "mixture"]


@pytest.fixture(autouse=True)
def one_thread():
    """Many small operations: threads only wait for each other on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@dataclass(frozen=True)
class Pair:
    """x0 -> x1, in every task."""

    def sample(self, d, rng):
        return np.eye(d, k=1, dtype=bool)

    def expected_edges(self, d):
        return float(d - 1)


@pytest.mark.parametrize("mechanisms", [name for name in NAMES if name != "joint-gp"])
def test_the_law_of_non_descendants_does_not_change_under_do(mechanisms):
    """Two-sample Kolmogorov-Smirnov, about 20 pairs at p > 1e-5: one alarm in 5000 seeds."""
    family = Family(
        d=7,
        n=8000,
        graphs=EdgeCoins(edges=9, exact=True),
        mechanisms=mechanisms,
        interventions=Interventions(share=0.7, p_observational=0.0),
    )
    table = family.task(5)
    values, mask = table.data.values, table.data.intervened
    reach = transitive_closure(torch.from_numpy(table.truth.graph)).numpy()
    plain = values[~mask.any(1)]
    n_pairs = n_moved = 0
    for target in range(7):
        rows = values[mask[:, target]]
        assert len(rows) == 800
        for j in set(range(7)) - {target}:
            p = stats.ks_2samp(rows[:, j], plain[:, j]).pvalue
            if reach[target, j]:
                n_moved += p < 1e-3
            else:
                n_pairs += 1
                assert p > 1e-5, f"do(x{target}) moved x{j}"
    assert n_pairs >= 15
    if mechanisms != "periodic":  # a sine of high frequency has the same law anywhere
        assert n_moved >= 3


@pytest.mark.parametrize("mechanisms", [name for name in NAMES if name != "joint-gp"])
def test_the_model_of_a_task_samples_from_the_law_of_its_table(mechanisms):
    """Two-sample tests of 6 variables and 6 sums of pairs, p > 1e-5: an alarm in 8000 seeds."""
    family = Family(d=6, n=4000, graphs=EdgeCoins(edges=8), mechanisms=mechanisms)
    x = family.task(3).data.values
    y = family.scm(3).sample(4000, random_state=0).data.values
    x, y = x / x.std(0), y / x.std(0)
    for j in range(6):
        for weight in (0.0, 1.0):
            first, second = (v[:, j] + weight * v[:, (j + 1) % 6] for v in (x, y))
            assert stats.ks_2samp(first, second).pvalue > 1e-5


def binned_r2(x, y):
    """R^2 of a regression of y on twelve equally full bins of x."""
    which = np.searchsorted(np.quantile(x, np.linspace(0, 1, 13)[1:-1]), x)
    means = np.array([y[which == q].mean() for q in range(12)])
    return 1 - ((y - means[which]) ** 2).mean() / y.var()


@pytest.mark.parametrize(
    ("mechanisms", "least"),
    [("joint-gp", 0.03), ("mlp", 0.15), *((m, 0.2) for m in NAMES if m not in ("joint-gp", "mlp"))],
)
def test_one_cause_explains_its_effect_better_than_a_shuffled_one(mechanisms, least):
    """The defects of the reference: 0.008 for networks, -0.001 for its "exact" process, 0.

    40 tasks; the mean excess has a standard error of 0.06 at most (0.012 for the joint process),
    and measured 0.06 (joint), 0.27 and more: three standard errors above what is asked for.
    """
    n = 256
    family = Family(d=2, n=n, graphs=Pair(), mechanisms=mechanisms)
    tasks = family.simulate(np.random.SeedSequence(0).spawn(40), TaskSize(2, n))
    rng = np.random.default_rng(0)
    excess = [
        binned_r2(x, y) - binned_r2(rng.permutation(x), y)
        for x, y in tasks.values.double().numpy().transpose(0, 2, 1)
    ]
    assert np.mean(excess) > least


@pytest.mark.parametrize("n_kernels", [1, 2])
def test_random_features_are_a_process_with_squared_exponential_kernels(n_kernels):
    """10 moments of 3000 functions at 4.5 standard errors, twice: an alarm in 7000 seeds."""
    family = GaussianProcess(
        lengthscale=(0.7, 0.7), amplitude=(1.5, 1.5), n_kernels=n_kernels, n_features=50
    )
    x = torch.tensor([0.0, 0.3, 1.0, 2.5])
    rng, graph = np.random.default_rng(0), np.eye(2, k=1, dtype=bool)
    drawn = [family.draw(graph, rng) for _ in range(3000)]
    own = {k: torch.from_numpy(np.stack([one[k][1] for one in drawn])) for k in drawn[0]}
    f = family.evaluate(
        x[None, :, None].expand(3000, -1, -1).contiguous(),
        torch.ones(3000, 1, dtype=torch.bool),
        torch.zeros(3000, 4),
        own,
    ).double()
    products = f[:, :, None] * f[:, None, :]
    expected = n_kernels * 1.5**2 * (-((x[:, None] - x) ** 2) / (2 * 0.7**2)).exp()
    z = (products.mean(0) - expected) / (products.std(0) / 3000**0.5)
    assert z.abs().max() < 4.5
    assert (f.mean(0) / (f.std(0) / 3000**0.5)).abs().max() < 4.5


def test_standardised_causes_keep_variances_from_telling_the_order():
    """20 tasks of 20 variables with weights N(0, 100): 0.97 in the reference's generator.

    The standard error of the mean is about 0.02; the gap asked for is five of them.
    """
    options = {"d": 20, "n": 256, "mechanisms": {"name": "linear", "scale": 10.0}}
    raw = Family(**options, standardise_inputs=False).card(20)["varsortability"]
    kept = Family(**options).card(20)["varsortability"]
    assert raw > 0.9
    assert kept < raw - 0.1


def test_reserved_graphs_do_not_appear_among_ten_thousand_training_tasks():
    """20 variables and about 20 edges: two equal graphs are as good as impossible."""
    family = Family(d=20, graphs=EdgeCoins(edges=20))

    def hashes(seeds):
        return {np.packbits(family.graph(s)).tobytes() for s in seeds}

    held_out = set()
    for split, numbers in (("val", range(1000, 1005)), ("test", range(2000, 2025))):
        held_out |= hashes(FixedTasks(family=family, numbers=numbers, split=split).seeds())
    assert len(held_out) == 30
    train = TaskStream(family=family)
    seen = hashes(train.task_seed(g) for g in range(10_000))
    assert len(seen) == 10_000
    assert not seen & held_out


def test_no_reserved_graph_is_among_ten_thousand_small_training_tasks():
    """On five variables with three edges every hundredth draw or so is reserved."""
    family = Family(d=5, n=4, graphs=EdgeCoins(edges=3, exact=True))
    tests = FixedTasks(family=family, numbers=range(2000, 2025))
    held_out = {t.graphs.numpy().tobytes() for t in tests.tasks()}
    stream = TaskStream(family=family, batch_size=1000, reserved=frozenset(tests.fingerprints()))
    n_rejected = 0
    for b, batch in zip(range(10), stream.batches(), strict=False):
        assert batch.index[0] == 1000 * b
        n_rejected += batch.n_rejected
        assert not {g.numpy().tobytes() for g in batch.graphs} & held_out
    assert n_rejected > 50
