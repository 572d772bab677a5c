"""Steps without a finite gradient: skipped, a slower pace after them, and when to give up."""

import json
import math
import warnings
from itertools import islice, pairwise

import pytest
import torch

from aetia.errors import ConvergenceWarning, InputError, NumericalError
from aetia.training import TrainingConfig, load_checkpoint, train
from training import runs
from training.runs import options, phase, regression, tables


def spoiled(is_bad, value=math.nan):
    def loss(module, x, step, generator):
        out, parts = runs.squared_error(module, x, step, generator)
        return out * (value if is_bad(step) else 1.0), parts

    return loss


def run(is_bad, module=None, folder=None, batches=tables, phases=None, validate=None, **changes):
    settings = {"log_every": 1, "schedule": "constant", "warmup": 0.0, "n_steps": 16, **changes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return train(
            regression(0.0) if module is None else module,
            phases or [phase(spoiled(is_bad))],
            batches,
            config=options(**settings),
            seed=1,
            folder=folder,
            validate=validate,
        )


def test_each_skipped_step_halves_the_rate_of_all_that_follow():
    rows = run(lambda step: step in (2, 5)).rows
    rates = [r["learning_rate"] / 1e-2 for r in rows]
    assert rates == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5, *[0.25] * 10])
    assert [r["rate_factor"] for r in rows] == [1, 1, 0.5, 0.5, 0.5, *[0.25] * 11]
    assert [r["skipped_steps"] for r in rows] == [0, 0, 1, 1, 1, *[2] * 11]


def test_the_rate_of_an_own_optimiser_is_halved_too():
    def sgd(parameters):
        return torch.optim.SGD(parameters, lr=1.0)

    def loss(module, x, step, generator):
        value = math.inf if step == 1 else 1.0
        return value * module.last.bias.sum(), {}

    module, trace = regression(0.0), []

    def follow(step, info):
        trace.append(float(module.last.bias.detach()))
        return {}

    with pytest.warns(ConvergenceWarning):
        train(
            module,
            [phase(loss, optimiser=sgd)],
            tables,
            config=options(n_steps=4, clip_norm=None),
            seed=1,
            on_step_end=follow,
        )
    assert [a - b for a, b in pairwise(trace)] == pytest.approx([0, 0.5, 0.5])


def test_the_factor_is_resumed_to_the_same_bits(tmp_path):
    def fit(folder, batches=tables):
        return run(lambda step: step in (2, 3, 9), None, folder, batches)

    with pytest.raises(InputError, match="ran out"):
        fit(tmp_path / "a", lambda k: islice(tables(k), 7 - k))
    saved = load_checkpoint(tmp_path / "a" / "checkpoints" / "step-000000004.ckpt")["progress"]
    assert (saved["rate_factor"], saved["n_skipped_in_a_row"]) == (0.25, {"main": 2})
    got, expected = fit(tmp_path / "a"), fit(tmp_path / "b")
    state = expected.module.state_dict()
    assert all(torch.equal(v, state[k]) for k, v in got.module.state_dict().items())
    assert got.rows[-1]["learning_rate"] == expected.rows[-1]["learning_rate"] == 1e-2 / 8


@pytest.mark.parametrize("limit", [3, 10])
def test_training_gives_up_after_so_many_in_a_row_and_keeps_finite_weights(limit, tmp_path):
    module = regression(0.0)
    before = {}

    def loss(m, x, step, generator):
        if step == 5:
            before.update({k: v.clone() for k, v in module.state_dict().items()})
        return spoiled(lambda s: s >= 5)(m, x, step, generator)

    with pytest.raises(
        NumericalError, match=r"last healthy step was 5.*learning_rate \(now 0\.01\)"
    ) as e:
        run(None, module, tmp_path, phases=[phase(loss)], max_nonfinite=limit, n_steps=50)
    assert f"the last {limit} updates" in str(e.value)
    assert f"step {5 + limit};" in str(e.value)
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    rows = [json.loads(line) for line in (tmp_path / "health.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 5 + limit
    assert rows[-1]["loss"] is None
    summary = json.loads((tmp_path / "training_summary.json").read_text())
    assert summary["aborted"] == str(e.value)
    assert summary["n_skipped"] == limit
    assert {f["code"]: f["severity"] for f in summary["findings"]}["AH001"] == "bad"


def test_the_row_in_which_training_gives_up_is_written_off_the_grid_too(tmp_path):
    with pytest.raises(NumericalError):
        run(lambda s: s >= 5, None, tmp_path, max_nonfinite=2, log_every=100, n_steps=100)
    (line,) = (tmp_path / "health.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == 7


def test_after_giving_up_the_best_weights_are_in_the_module():
    module, kept = regression(0.0), {}

    def validate(scored, step):
        kept[step] = {k: v.clone() for k, v in scored.state_dict().items()}
        return [{"task": 0, "loss": abs(step - 2.0)}]

    with pytest.raises(NumericalError):
        run(lambda s: s >= 6, module, validate=validate, validate_every=1, max_nonfinite=4)
    assert all(torch.equal(v, kept[2][k]) for k, v in module.state_dict().items())
    assert not torch.equal(kept[2]["last.weight"], kept[6]["last.weight"])


def test_a_finite_step_in_between_starts_the_count_again():
    assert run(lambda step: step % 3 != 0, max_nonfinite=3, n_steps=16).n_skipped == 10
    with pytest.raises(NumericalError):
        run(lambda step: step % 4 != 0, max_nonfinite=3, n_steps=16)


def test_a_phase_that_runs_rarely_is_counted_by_its_own_updates():
    """The other phase's healthy updates in between do not hide it."""
    bad = phase(spoiled(lambda step: True), lambda m: list(m.last.parameters()), name="b", every=4)
    good = phase(parameters=lambda m: list(m.first.parameters()), name="a")
    with pytest.raises(NumericalError, match=r"last 3 updates of the phase 'b'.* up to step 9"):
        run(None, phases=[good, bad], max_nonfinite=3, n_steps=40)


def test_the_default_is_ten_and_zero_is_refused():
    assert TrainingConfig().max_nonfinite == 10
    with pytest.raises(InputError, match="max_nonfinite"):
        TrainingConfig(max_nonfinite=0)
