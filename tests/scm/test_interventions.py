"""Interventional rows: which cells are set, to what, and what must not change."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from aetia.errors import InputError
from aetia.graphs import transitive_closure
from aetia.scm import EdgeCoins, Family, Interventions, Linear, NoiseScale, TaskSize

ALWAYS = Interventions(share=0.5, p_observational=0.0)


def unit_noise(d, n, seed):
    """The noise of a task, column by column: its stream is its own (see test_families)."""
    unit = Linear(noise_scale=NoiseScale(distribution="constant", low=1.0))
    family = Family(d=d, n=n, graphs=EdgeCoins(edges=0), mechanisms=unit)
    return family.task(seed).data.values


def drawn(options, n=200, d=8, seed=0):
    return options.draw(n, d, np.random.default_rng(seed))


# -- the plan of one task -----------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_the_last_rows_set_one_variable_each_and_targets_take_turns(share):
    mask, values = drawn(Interventions(share=share, p_observational=0.0))
    n_set = round(200 * share)
    assert not mask[: 200 - n_set].any()
    assert (mask[200 - n_set :].sum(1) == 1).all()
    assert np.ptp(mask.sum(0)) <= 1
    assert not values[~mask].any()
    first = mask[200 - n_set :][:8].argmax(1)
    assert sorted(first) == list(range(8))  # interleaved, not block after block


@pytest.mark.parametrize(
    ("targets", "expected"), [("all", 8), (0.5, 4), (3, 3), (0.01, 1), (99, 8)]
)
def test_the_number_of_targets_is_as_asked(targets, expected):
    options = Interventions(share=0.5, p_observational=0.0, targets=targets)
    assert drawn(options)[0].any(0).sum() == expected
    chosen = {tuple(drawn(options, seed=s)[0].any(0)) for s in range(20)}
    assert (len(chosen) > 1) == (expected < 8)  # other variables in another task


def test_values_are_drawn_as_asked():
    """1000 values: signs and the normal spread within 4.5 standard errors."""
    options = {"share": 0.5, "p_observational": 0.0}
    mask, values = drawn(Interventions(low=1.0, high=5.0, **options), n=2000)
    set_to = values[mask]
    assert np.abs(set_to).min() >= 1
    assert np.abs(set_to).max() <= 5
    assert abs(np.abs(set_to).mean() - 3) < 4.5 * (4 / np.sqrt(12)) / np.sqrt(1000)
    assert abs((set_to > 0).mean() - 0.5) < 4.5 * 0.5 / np.sqrt(1000)
    mask, values = drawn(Interventions(values="normal", high=2.0, **options), n=2000)
    assert abs(values[mask].std() - 2) < 4.5 * 2 / np.sqrt(2000)
    mask, values = drawn(Interventions(values="constant", low=-1.5, **options), n=2000)
    assert set(values[mask]) == {-1.5}


def test_the_stated_share_of_tasks_is_observational():
    """400 tasks at 0.3: within 4.5 standard errors."""
    options = Interventions(p_observational=0.3)
    plain = [not drawn(options, n=20, seed=s)[0].any() for s in range(400)]
    assert abs(np.mean(plain) - 0.3) < 4.5 * np.sqrt(0.3 * 0.7 / 400)
    assert not any(drawn(Interventions(p_observational=1.0), seed=s)[0].any() for s in range(20))


def test_some_observational_rows_remain_whatever_the_share():
    """Means and scales come from them, so there must be a spread."""
    mask, _ = drawn(Interventions(share=0.95, p_observational=0.0), n=10, d=3)
    assert (~mask.any(1)).sum() >= 2


# -- what they do to a table --------------------------------------------------------------


@pytest.mark.parametrize("mechanisms", ["linear", "mlp", "gp", "square", "post-nonlinear"])
def test_set_cells_hold_their_value_in_units_of_the_observational_rows(mechanisms):
    family = Family(
        d=6,
        n=120,
        mechanisms=mechanisms,
        interventions=Interventions(share=0.4, p_observational=0.0, values="constant", low=2.5),
    )
    data = family.task(1).data
    observational = data.values[~data.intervened.any(1)]
    expected = observational.mean(0) + 2.5 * observational.std(0)
    for j in range(6):
        cells = data.values[data.intervened[:, j], j]
        assert len(cells) == 8
        np.testing.assert_allclose(cells, expected[j], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mechanisms", ["linear", "mlp", "gp", "logistic-map", "heteroscedastic"])
def test_every_row_is_what_the_model_says_under_its_intervention(mechanisms):
    """An independent way: the noise of the task, sent through the model with that variable set."""
    d, n, seed = 6, 60, 5
    family = Family(d=d, n=n, mechanisms=mechanisms, interventions=ALWAYS)
    table, model = family.task(seed), family.scm(seed)
    values, mask = table.data.values, table.data.intervened
    noise = torch.from_numpy(unit_noise(d, n, seed) * model.noise_std)
    for row in range(n):
        do = {f"x{j}": values[row, j] for j in np.flatnonzero(mask[row])}
        expected = model.intervene(do).propagate(noise[row : row + 1])
        np.testing.assert_allclose(values[row], expected[0], rtol=1e-3, atol=2e-3)


def test_only_descendants_of_a_target_change():
    """The same seed with and without interventions; causes are used as they are."""
    options = {"d": 9, "n": 200, "standardise_inputs": False, "graphs": EdgeCoins(edges=12)}
    plain = Family(**options).task(2)
    table = Family(**options, interventions=ALWAYS).task(2)
    np.testing.assert_array_equal(plain.truth.graph, table.truth.graph)
    reach = transitive_closure(torch.from_numpy(table.truth.graph)).numpy() | np.eye(9, dtype=bool)
    targets = table.data.intervened
    downstream = targets @ reach  # (n, d): this cell follows from the set one
    assert downstream[100:].any(1).all()
    np.testing.assert_allclose(
        table.data.values[~downstream], plain.data.values[~downstream], atol=1e-5
    )
    assert (np.abs(table.data.values - plain.data.values)[downstream] > 1e-6).mean() > 0.99


@dataclass(frozen=True)
class Chain:
    def sample(self, d, rng):
        return np.eye(d, k=1, dtype=bool)

    def expected_edges(self, d):
        return float(d - 1)


def test_edges_into_a_target_are_cut():
    """x0 -> x1 -> x2: with x1 set, x0 says nothing (|r| < 4.5 se) and x1 still moves x2."""
    mechanism = Linear(weights="uniform", low=1.0, high=2.0)
    interventions = Interventions(share=0.9, p_observational=0.0)
    data = (
        Family(d=3, n=4000, graphs=Chain(), mechanisms=mechanism, interventions=interventions)
        .task(0)
        .data
    )
    x = data.values[data.intervened[:, 1]]
    root = np.sqrt(len(x))
    assert abs(np.corrcoef(x[:, 0], x[:, 1])[0, 1]) < 4.5 / root
    assert abs(np.corrcoef(x[:, 0], x[:, 2])[0, 1]) < 4.5 / root
    assert abs(np.corrcoef(x[:, 1], x[:, 2])[0, 1]) > 0.5
    observational = data.values[~data.intervened.any(1)]
    assert abs(np.corrcoef(observational[:, 0], observational[:, 1])[0, 1]) > 0.3


def test_marks_and_values_stay_together_when_rows_are_chosen():
    family = Family(d=4, n=40, interventions=ALWAYS)
    tasks = family.simulate(np.random.SeedSequence(0).spawn(3), TaskSize(4, 40))
    chosen = torch.stack([torch.arange(39, 19, -1), torch.arange(20), torch.arange(10, 30)])
    part = tasks.rows(chosen)
    for b in range(3):
        assert torch.equal(part.values[b], tasks.values[b, chosen[b]])
        assert torch.equal(part.intervened[b], tasks.intervened[b, chosen[b]])
    assert part.intervened[0].any(1).all()
    assert not part.intervened[1].any()


def test_a_table_without_interventions_has_no_marks():
    assert Family(d=3, n=20).task(0).data.intervened is None
    always_plain = Interventions(p_observational=1.0)
    assert Family(d=3, n=20, interventions=always_plain).task(0).data.intervened is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Interventions(share=0.0), "share must lie in .*got 0.0"),
        (lambda: Interventions(share=1.0), "share must lie in .*got 1.0"),
        (lambda: Interventions(p_observational=1.5), "p_observational must lie in .*1.5"),
        (lambda: Interventions(targets=0), "targets must be larger than 0"),
        (lambda: Interventions(high=0.0), "high must be larger than 0"),
        (lambda: Interventions(low=3.0, high=1.0), "low"),
        (lambda: Family(interventions=0.5), "interventions must be None, a mapping"),
        (lambda: Family(interventions={"shares": 0.5}), "Did you mean 'share'"),
        (lambda: Family(interventions=NoiseScale()), "interventions"),
    ],
)
def test_wrong_options_are_named(make, message):
    with pytest.raises(InputError, match=message):
        make()
