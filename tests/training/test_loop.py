"""The training loop: exact resumption, phases, accumulation, averages, selection, skipped steps."""

import json
import math
import os
import subprocess
import sys
import warnings
from itertools import islice

import pytest
import torch
from torch import nn

from aetia.errors import CheckpointError, ConvergenceWarning, DataWarning, InputError
from aetia.nets import seeded
from aetia.training import Phase, TrainingConfig, load_checkpoint, make_fabric, train
from training import runs
from training.runs import everything, options, phase, regression, table, tables

TIMINGS = {"tasks_per_second", "data_wait_share", "seconds", "verdicts"}


def weights(module):
    return {k: v.detach().clone() for k, v in module.state_dict().items()}


def assert_same_bits(got, expected, path=""):
    """Compare trees of containers, tensors and numbers; NaN equals NaN."""
    assert type(got) is type(expected), path
    if isinstance(got, dict):
        assert got.keys() == expected.keys(), path
        for k in got:
            assert_same_bits(got[k], expected[k], f"{path}/{k}")
    elif isinstance(got, (list, tuple)):
        assert len(got) == len(expected), path
        for k, pair in enumerate(zip(got, expected, strict=True)):
            assert_same_bits(*pair, f"{path}/{k}")
    elif isinstance(got, torch.Tensor):
        assert got.dtype == expected.dtype, path
        assert torch.equal(got, expected), path
    else:
        assert got == expected or (got != got and expected != expected), path


def without_timings(rows):
    return json.loads(json.dumps([{k: v for k, v in r.items() if k not in TIMINGS} for r in rows]))


def fit(module=None, phases=None, batches=tables, validate=None, **arguments):
    """Train; options of the loop are given by name, beside the arguments of ``train``."""
    names = ("folder", "fabric", "on_step_end", "signals", "trackers", "identity", "resume")
    passed = {k: arguments.pop(k) for k in (*names, "force", "seed") if k in arguments}
    config = options(**arguments)
    module = regression(0.0) if module is None else module
    return train(
        module,
        phases or [phase()],
        batches,
        config=config,
        validate=validate,
        **{"seed": 5, **passed},
    )


def scores(values):
    """Validation whose metric is a function of the step."""
    return lambda module, step: [{"task": "t", "loss": float(values(step))}]


# -- exact resumption -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def graveyard(tmp_path_factory):
    """Folders of runs that were killed by SIGKILL, in processes of their own."""
    root = tmp_path_factory.mktemp("killed runs")
    with (root / "log").open("w") as log:
        subprocess.run(
            [sys.executable, runs.__file__, "killed", str(root)],
            env=runs.environment(),
            stdout=log,
            stderr=log,
            timeout=300,
            check=False,
        )
    assert (root / "from outside").is_dir(), (root / "log").read_text()
    return root


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    return runs.full_run(folder), folder


def last_checkpoint(folder):
    return load_checkpoint(max((folder / "checkpoints").glob("step-*.ckpt")))


def test_the_uninterrupted_run_does_all_that_its_name_says(uninterrupted):
    trained, folder = uninterrupted
    assert (trained.step, trained.best_step) == (runs.LAST_STEP, runs.BEST_STEP)
    progress = last_checkpoint(folder)["progress"]
    assert progress["plateau"][-1] == 2
    assert progress["step"] == runs.LAST_STEP
    rates = [r["learning_rate"] for r in trained.rows if "learning_rate" in r]
    assert rates[4] == 1e-2
    assert rates[-1] == pytest.approx(1e-3)
    assert float(trained.module.dual) > 0


@pytest.mark.parametrize("death", [*runs.DEATHS, "from outside"])
def test_a_killed_run_resumes_to_the_same_bits(death, graveyard, uninterrupted):
    expected, folder = uninterrupted
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing that was written is damaged
        got = runs.full_run(graveyard / death)
    assert_same_bits(weights(got.module), weights(expected.module))
    assert (got.step, got.best_step, got.best_metrics) == (
        expected.step,
        expected.best_step,
        expected.best_metrics,
    )
    assert_same_bits(last_checkpoint(graveyard / death), last_checkpoint(folder))
    assert_same_bits(without_timings(got.rows), without_timings(expected.rows))
    left = {f.name for f in (graveyard / death / "checkpoints").iterdir()}
    assert left == {f.name for f in (folder / "checkpoints").iterdir()}


@pytest.mark.parametrize("n_workers", [0, 2])
def test_pretraining_on_a_stream_resumes_to_the_same_bits(n_workers, graveyard, tmp_path):
    """Killed with as many workers; the uninterrupted run has none."""
    killed = graveyard / f"{n_workers} workers"
    assert 0 < len(list((killed / "checkpoints").glob("step-*.ckpt"))) < 3
    expected = runs.stream_run(tmp_path, 0)
    got = runs.stream_run(killed, n_workers)
    assert_same_bits(weights(got.module), weights(expected.module))
    assert_same_bits(last_checkpoint(killed), last_checkpoint(tmp_path))
    assert_same_bits(got.best_metrics, expected.best_metrics)
    assert float(last_checkpoint(killed)["module"]["dual.multiplier"]) > 0


def test_the_same_seed_gives_the_same_bits_and_another_one_does_not():
    first, second = (fit(regression(), [phase(runs.noisy_error)]) for _ in range(2))
    other = fit(regression(), [phase(runs.noisy_error)], seed=6)
    assert_same_bits(weights(first.module), weights(second.module))
    assert not torch.equal(first.module.last.weight, other.module.last.weight)


def test_options_that_are_said_not_to_matter_do_not():
    plain = fit(regression(), [phase(runs.noisy_error)])
    logged = fit(regression(), [phase(runs.noisy_error)], log_every=1, gradient_shares=False)
    assert_same_bits(weights(plain.module), weights(logged.module))


def test_a_run_that_has_ended_is_returned_without_another_step(tmp_path):
    validate = scores(lambda step: abs(step - 4))
    first = fit(folder=tmp_path, validate=validate, validate_every=4)
    second = fit(folder=tmp_path, validate=validate, validate_every=4, batches=lambda k: iter(()))
    assert_same_bits(weights(first.module), weights(second.module))
    assert (second.step, second.best_step, second.best_metrics["loss"]) == (12, 4, 0.0)


def test_a_resumed_run_asks_for_batches_by_their_number(tmp_path):
    asked = []

    def batches(start):
        asked.append(start)
        return tables(start)

    def interrupted(start):
        return islice(batches(start), 15)

    with pytest.raises(InputError):
        fit(folder=tmp_path, batches=interrupted, accumulate=3, checkpoint_every=2)
    fit(folder=tmp_path, batches=batches, accumulate=3, checkpoint_every=2)
    assert asked == [0, 12]


def test_without_resuming_an_old_folder_is_started_again(tmp_path):
    """The checkpoints of the old run, which was longer, must not outlive those of the new one."""
    fit(folder=tmp_path, n_steps=12, seed=1)
    new = fit(folder=tmp_path, n_steps=8, seed=2, resume=False)
    again = fit(folder=tmp_path, n_steps=8, seed=2, batches=lambda k: iter(()))
    assert_same_bits(weights(again.module), weights(new.module))


def test_nothing_global_moves_and_old_folders_are_optional():
    """The fixture of the suite watches the global generators; dropout and losses draw here."""
    trained = fit(regression(0.5), [phase(runs.noisy_error)], ema_decay=0.5)
    assert trained.step == 12


# -- accumulation, clipping, groups, averages -------------------------------------------------


def test_accumulated_batches_equal_one_large_batch():
    double = torch.float64
    parts = fit(
        regression(0.0, double), accumulate=4, batches=lambda k: tables(k, n=2, dtype=double)
    )

    def large(start):
        while True:
            yield torch.cat([table(4 * start + i, n=2, dtype=double) for i in range(4)])
            start += 1

    whole = fit(regression(0.0, double), batches=large)
    torch.testing.assert_close(weights(parts.module), weights(whole.module), rtol=0, atol=1e-12)
    for a, b in zip(parts.rows, whole.rows, strict=True):
        for name in ("loss", "error", "penalty", "gradient_norm"):
            assert a[name] == pytest.approx(b[name], rel=1e-10), name


def sgd(rate=1.0):
    return lambda parameters: torch.optim.SGD(parameters, lr=rate)


def slope(scale):
    """A loss with the gradient ``scale`` in both coordinates."""
    return lambda module, x, step, generator: (scale(step) * module.weight.sum(), {})


def two_weights():
    module = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(module.weight)
    return module


@pytest.fixture
def plain():
    with seeded(torch.Generator().manual_seed(0)):
        return two_weights()


@pytest.mark.parametrize(
    ("clip_norm", "moved"), [(1.0, 1 / math.sqrt(2)), (100.0, 3.0), (None, 3.0), (0, 3.0)]
)
def test_gradients_are_clipped_by_their_norm(plain, clip_norm, moved):
    loss = slope(lambda step: 3.0)
    trained = fit(plain, [phase(loss, optimiser=sgd())], n_steps=1, clip_norm=clip_norm)
    torch.testing.assert_close(plain.weight.detach(), torch.full((1, 2), -moved))
    (row,) = trained.rows
    assert row["gradient_norm"] == pytest.approx(3 * math.sqrt(2))  # before clipping
    assert row["clipped_share"] == (1.0 if clip_norm == 1.0 else 0.0)


def test_the_clipped_share_counts_the_steps_since_the_last_row(plain):
    loss = slope(lambda step: 1.0 if step in (0, 5, 6, 7) else 0.1)
    trained = fit(plain, [phase(loss, optimiser=sgd())], n_steps=8, clip_norm=0.5)
    assert [r["clipped_share"] for r in trained.rows] == [0.25, 0.75]


def test_matrices_decay_and_biases_normalisations_and_scalars_do_not():
    class Parts(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.norm = nn.Linear(2, 2), nn.LayerNorm(2)
            self.scalar = nn.Parameter(torch.tensor(3.0))
            self.frozen = nn.Parameter(torch.ones(2, 2), requires_grad=False)

    with seeded(torch.Generator().manual_seed(0)):
        module = Parts()
    nn.init.ones_(module.linear.bias)
    before = weights(module)
    zero = phase(lambda m, x, step, g: (0.0 * sum(p.sum() for p in m.parameters()), {}))
    fit(module, [zero], n_steps=1, learning_rate=0.1, weight_decay=0.5, schedule="constant")
    after = weights(module)
    torch.testing.assert_close(after.pop("linear.weight"), before.pop("linear.weight") * 0.95)
    assert_same_bits(after, before)


def test_steps_are_those_of_adamw_with_the_rate_of_the_schedule():
    """Against a loop by hand."""
    config = options(weight_decay=0.1, warmup=0.25, betas=(0.8, 0.9), eps=1e-3, clip_norm=0.3)
    module, expected = regression(0.0), regression(0.0)
    train(module, [phase()], tables, config=config, seed=0)
    matrices = [p for p in expected.parameters() if p.ndim >= 2]
    rest = [p for p in expected.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=1e-2, betas=(0.8, 0.9), eps=1e-3)
    for step in range(12):
        done = (step - 3) / 9
        rate = (step + 1) / 3 if step < 3 else 0.5 * (1 + math.cos(math.pi * done))
        for group in optimiser.param_groups:
            group["lr"] = 1e-2 * rate
        optimiser.zero_grad()
        runs.squared_error(expected, table(step), step, None)[0].backward()
        torch.nn.utils.clip_grad_norm_(expected.parameters(), 0.3)
        optimiser.step()
    torch.testing.assert_close(weights(module), weights(expected))


def test_the_average_of_the_weights_follows_its_formula():
    """The first average is the weights after the first step; validation sees the average."""
    decay, seen, averages = 0.7, [], []
    module = regression(0.0)

    def validate(scored, step):
        assert not scored.training
        seen.append(scored.last.weight.detach().clone())
        return [{"task": "t", "loss": 0.0 if step == 3 else 1.0}]

    def follow(step, info):
        now = module.last.weight.detach().clone()
        averages.append(now if step == 0 else decay * averages[-1] + (1 - decay) * now)
        return {}

    trained = fit(
        module, validate=validate, validate_every=1, n_steps=6, ema_decay=decay, on_step_end=follow
    )
    torch.testing.assert_close(seen, averages)
    torch.testing.assert_close(trained.module.last.weight.detach(), averages[2])


def test_without_validation_the_average_is_what_is_returned():
    module, decay = regression(0.0), 0.5
    average = None

    def follow(step, info):
        nonlocal average
        now = module.last.weight.detach().clone()
        average = now if average is None else decay * average + (1 - decay) * now
        return {}

    trained = fit(module, ema_decay=decay, on_step_end=follow)
    torch.testing.assert_close(trained.module.last.weight.detach(), average)


# -- phases ---------------------------------------------------------------------------------


def test_phases_alternate_and_touch_their_own_parameters_only():
    """Against a loop by hand; the player moves in every third step."""
    module = runs.players()
    trained = fit(
        module,
        runs.adversaries(optimiser=sgd(0.05)),
        lambda k: tables(k, dtype=torch.float64),
        clip_norm=None,
        n_steps=7,
        log_every=1,
    )
    expected = runs.players()
    for step in range(7):
        x = table(step, dtype=torch.float64)
        for who, part in (("critic", expected.critic), ("player", expected.player)):
            if who == "player" and step % 3:
                continue
            grads = torch.autograd.grad(expected(x, who), list(part.parameters()))
            with torch.no_grad():
                for p, g in zip(part.parameters(), grads, strict=True):
                    p -= 0.05 * g
    torch.testing.assert_close(weights(module), weights(expected))
    moved = [row["step"] for row in trained.rows if "player/loss" in row]
    assert moved == [1, 4, 7]
    for name in ("critic/loss", "critic/gradient_norm", "critic/clipped_share"):
        assert all(name in row for row in trained.rows), name


class Latents(nn.Module):
    """A latent variable for each row of a table of 6 rows, and a decoder."""

    def __init__(self):
        super().__init__()
        self.latent = nn.Embedding(6, 2, sparse=True)
        self.decode = nn.Linear(2, 1)

    def forward(self, rows):
        return self.decode(self.latent(rows))


@pytest.mark.parametrize("clip_norm", [1.0, None])
def test_latents_of_rows_have_sparse_gradients_and_an_optimiser_of_their_own(clip_norm):
    with seeded(torch.Generator().manual_seed(0)):
        module = Latents()
    before = module.latent.weight.detach().clone()

    def error(module, rows, step, generator):
        out = module(rows)
        return (out - 1).square().mean(), {"fit": (out - 1).square().mean(), "size": out.mean()}

    phases = [
        phase(error, lambda m: list(m.decode.parameters()), name="decoder"),
        phase(
            error,
            lambda m: list(m.latent.parameters()),
            name="latent",
            optimiser=lambda p: torch.optim.SparseAdam(p, lr=0.1),
        ),
    ]

    def batches(start):
        while True:
            yield torch.tensor([start % 2, 2])
            start += 1

    trained = fit(module, phases, batches, clip_norm=clip_norm)
    moved = (module.latent.weight.detach() != before).any(1)
    assert moved.tolist() == [True, True, True, False, False, False]
    assert all(row["latent/gradient_norm"] > 0 for row in trained.rows)


def test_state_of_every_optimiser_is_resumed(tmp_path):
    def run(folder, batches):
        module = runs.players(torch.float32)
        fit(module, runs.adversaries(), batches, folder=folder)
        return weights(module)

    with pytest.raises(InputError, match="ran out"):
        run(tmp_path / "a", lambda k: islice(tables(k), 6))
    assert_same_bits(run(tmp_path / "a", tables), run(tmp_path / "b", tables))


# -- steps that are skipped -------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("clip_norm", [1.0, None])
def test_steps_without_a_finite_gradient_leave_no_trace_but_a_count(value, clip_norm):
    bad = {2, 3, 7}

    def loss(module, x, step, generator):
        out, parts = runs.squared_error(module, x, step, generator)
        return out * (value if step in bad else 1.0), parts

    trace, module = [], regression(0.0)

    def follow(step, info):
        trace.append(weights(module))
        return {}

    with pytest.warns(ConvergenceWarning, match="3 of 12 steps"):
        trained = fit(module, [phase(loss)], on_step_end=follow, clip_norm=clip_norm, ema_decay=0.5)
    for step in range(1, 12):
        same = all(torch.equal(v, trace[step][k]) for k, v in trace[step - 1].items())
        assert same == (step in bad), step
    assert trained.n_skipped == 3
    assert [r["skipped_steps"] for r in trained.rows] == [2, 3, 3]
    assert all(r["verdicts"]["skipped_steps"] != "ok" for r in trained.rows)
    assert all(v.isfinite().all() for v in weights(trained.module).values())
    assert all(math.isfinite(r["loss"]) for r in trained.rows)


def test_one_bad_batch_spoils_its_whole_step():
    def loss(module, x, step, generator):
        out, parts = runs.squared_error(module, x, step, generator)
        return out * (math.nan if torch.equal(x, table(5)) else 1.0), parts

    with pytest.warns(ConvergenceWarning, match="1 of 12"):
        trained = fit(None, [phase(loss)], accumulate=2)
    assert trained.n_skipped == 1
    assert all(v.isfinite().all() for v in weights(trained.module).values())


# -- the best weights -------------------------------------------------------------------------


def weights_by_step(**arguments):
    """Train with validation in every step and remember the weights."""
    kept, module = {}, regression(0.0)

    def follow(step, info):
        kept[step + 1] = weights(module)
        return {}

    return fit(module, validate_every=1, on_step_end=follow, **arguments), kept


@pytest.mark.parametrize(
    ("mode", "values", "best"),
    [
        ("min", [5, 3, 4, 3, 9, 3], 2),
        ("max", [5, 3, 9, 3, 9, 3], 3),
        ("min", [math.nan, 2, math.nan, -math.inf, 3, math.inf], 2),
        ("max", [math.nan, 2, math.nan, math.inf, 1, -math.inf], 2),
    ],
)
def test_the_best_weights_are_kept_and_put_back(mode, values, best, tmp_path):
    """The first of equals wins; what is not finite never does."""
    trained, kept = weights_by_step(
        validate=scores(lambda step: values[step - 1]), n_steps=6, mode=mode, folder=tmp_path
    )
    assert trained.best_step == best
    assert trained.best_metrics["loss"] == values[best - 1]
    assert_same_bits(weights(trained.module), kept[best])
    assert not trained.module.training
    on_disk = load_checkpoint(tmp_path / "checkpoints" / "best.ckpt")
    assert on_disk["step"] == best
    assert_same_bits(dict(on_disk["weights"]), kept[best])


def test_if_no_metric_is_ever_finite_the_last_weights_stay():
    trained, kept = weights_by_step(validate=scores(lambda step: math.nan), n_steps=3)
    assert trained.best_step is None
    assert_same_bits(weights(trained.module), kept[3])


def test_another_metric_chooses_and_tasks_are_averaged():
    def validate(module, step):
        return [
            {"task": 10, "loss": step, "f1": [0.1, 0.9, 0.2][step - 1]},
            {"task": 20, "loss": step + 2.0, "f1": [0.3, 0.7, math.nan][step - 1]},
        ]

    trained = fit(validate=validate, validate_every=1, n_steps=3, metric="f1", mode="max")
    assert trained.best_step == 2
    assert trained.best_metrics["f1"] == pytest.approx(0.8)
    assert trained.best_metrics["f1_se"] == pytest.approx(0.1)
    assert trained.best_metrics["loss"] == 3.0
    last = trained.rows[-1]["validation"]
    assert last["f1"] == pytest.approx(0.2)  # the mean over the tasks that have it
    assert "task" not in last, "the number of a task is not a metric"


@pytest.mark.parametrize(("patience", "last"), [(1, 4), (2, 5), (3, 12)])
def test_training_stops_after_so_many_validations_without_improvement(patience, last):
    values = [9, 8, 7, 7, 7, 6, 8, 5, 8, 8, 4, 8]
    trained, _ = weights_by_step(validate=scores(lambda step: values[step - 1]), patience=patience)
    assert trained.step == last
    assert trained.best_step == {4: 3, 5: 3, 12: 11}[last]


def test_nan_metrics_count_against_patience():
    trained, _ = weights_by_step(validate=scores(lambda step: math.nan), patience=3)
    assert trained.step == 3


def test_validation_happens_at_its_steps_and_at_the_end_without_gradients():
    seen = []

    def validate(module, step):
        assert not torch.is_grad_enabled()
        assert not module.training
        seen.append(step)
        return [{"task": "t", "loss": 1.0}]

    fit(regression(0.5), validate=validate, validate_every=5)
    assert seen == [5, 10, 12]
    fit(validate=validate, validate_every=0)
    assert seen == [5, 10, 12]


def test_validating_more_often_does_not_change_training():
    often = fit(regression(), validate=scores(lambda s: -s), validate_every=1)
    once = fit(regression(), validate=scores(lambda s: -s), validate_every=12)
    assert_same_bits(weights(often.module), weights(once.module))


def test_an_unknown_metric_is_named_with_the_known_ones():
    with pytest.raises(InputError, match=r"'f2' is not one of.*loss"):
        fit(validate=scores(lambda s: s), validate_every=1, metric="f2")


def test_batches_that_run_out_say_when():
    with pytest.raises(InputError, match="ran out after 5 steps"):
        fit(batches=lambda k: islice(tables(k), 11), accumulate=2)


# -- resuming something else --------------------------------------------------------------------


CHANGES = {
    "learning_rate": 0.5,
    "accumulate": 2,
    "n_steps": 20,
    "ema_decay": 0.5,
    "schedule": "constant",
    "clip_norm": None,
    "weight_decay": 0.3,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_checkpoint_of_other_options_is_refused_unless_forced(name, tmp_path):
    fit(folder=tmp_path)
    changed = {name: CHANGES[name]}
    with pytest.raises(InputError, match="options"):
        fit(folder=tmp_path, **changed)
    trained = fit(folder=tmp_path, force=True, **changed)
    assert trained.step == changed.get("n_steps", 12)


def test_a_checkpoint_of_another_identity_or_seed_is_refused(tmp_path):
    fit(folder=tmp_path, identity={"family": "a", "rows": (1, 2)})
    fit(folder=tmp_path, identity={"family": "a", "rows": (1, 2)})
    with pytest.raises(InputError, match="family"):
        fit(folder=tmp_path, identity={"family": "b", "rows": (1, 2)})
    with pytest.raises(InputError, match="seed"):
        fit(folder=tmp_path, identity={"family": "a", "rows": (1, 2)}, seed=6)
    assert fit(folder=tmp_path, identity={"family": "b"}, seed=6, force=True).step == 12


@pytest.mark.parametrize(
    "changed",
    [{"log_every": 1}, {"checkpoint_every": 1}, {"keep_last": 5}, {"gradient_shares": False}],
    ids=lambda c: next(iter(c)),
)
def test_options_without_effect_on_weights_may_change(changed, tmp_path):
    fit(folder=tmp_path)
    assert fit(folder=tmp_path, **changed).step == 12


def test_another_network_is_refused_with_a_clear_error(tmp_path):
    fit(folder=tmp_path)
    with seeded(torch.Generator().manual_seed(0)):
        other = nn.Linear(3, 1)
    with pytest.raises((InputError, CheckpointError), match="step-000000012"):
        fit(other, folder=tmp_path)


# -- damaged checkpoints --------------------------------------------------------------------------


def damage(file, how):
    raw = bytearray(file.read_bytes())
    if how == "truncated":
        raw = raw[: len(raw) // 2]
    elif how == "bit flipped":
        raw[len(raw) // 2] ^= 1
    elif how == "empty":
        raw = bytearray()
    elif how == "another file renamed":
        raw = bytearray(file.with_name("best.ckpt").read_bytes())
    file.write_bytes(raw)


@pytest.mark.parametrize("how", ["truncated", "bit flipped", "empty", "another file renamed"])
def test_the_loop_goes_on_from_the_older_checkpoint_when_the_newest_is_damaged(how, tmp_path):
    arguments = {"validate": scores(lambda s: -s), "validate_every": 4}
    expected = fit(regression(), folder=tmp_path, **arguments)
    damage(tmp_path / "checkpoints" / "step-000000012.ckpt", how)
    with pytest.warns(DataWarning, match="step-000000012"):
        got = fit(regression(), folder=tmp_path, **arguments)
    assert_same_bits(weights(got.module), weights(expected.module))
    steps = [r["step"] for r in got.rows if "loss" in r]
    assert steps == [4, 8, 12]


@pytest.mark.filterwarnings("ignore:skipped")
def test_if_every_checkpoint_is_damaged_the_error_names_one(tmp_path):
    fit(folder=tmp_path)
    for file in (tmp_path / "checkpoints").glob("step-*.ckpt"):
        damage(file, "truncated")
    with pytest.raises(CheckpointError, match="step-0000000"):
        fit(folder=tmp_path)


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path):
    taken = tmp_path / "run"
    taken.write_text("a file of the user's")
    with pytest.raises(InputError, match="run"):
        fit(folder=taken)
    assert taken.read_text() == "a file of the user's"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_a_clear_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot"):
        fit(folder=tmp_path / "run")


# -- precisions and options -----------------------------------------------------------------------


@pytest.mark.parametrize("gradient_shares", [True, False])
@pytest.mark.parametrize("precision", ["bf16-mixed"])
def test_other_precisions_train_and_validate(precision, gradient_shares):
    def validate(module, step):
        return [{"task": "t", "loss": float((module(table(-1)) - 1).square().mean())}]

    fabric = make_fabric(device="cpu", precision=precision)
    trained = fit(
        fabric=fabric,
        precision=precision,
        validate=validate,
        validate_every=4,
        gradient_shares=gradient_shares,
    )
    expected = torch.float32
    assert trained.module.last.weight.dtype == expected
    assert math.isfinite(trained.best_metrics["loss"])


@pytest.mark.parametrize(
    "bad",
    [
        {"n_steps": 0},
        {"accumulate": 0},
        {"learning_rate": math.nan},
        {"learning_rate": 0},
        {"warmup": 1.0},
        {"warmup": -0.1},
        {"betas": (0.9, 1.0)},
        {"ema_decay": 1.0},
        {"clip_norm": -1.0},
        {"patience": 0},
        {"keep_last": 0},
        {"log_every": 0},
        {"validate_every": -1},
        {"cosine_steps": 0},
    ],
    ids=str,
)
def test_impossible_options_are_named(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        TrainingConfig(**bad)


def test_a_phase_uses_the_parameters_that_it_chose():
    """The rest has neither gradient nor decay."""
    module = regression(0.0)
    before = weights(module)
    only = Phase(parameters=lambda m: list(m.last.parameters()), loss=runs.squared_error)
    fit(module, [only], weight_decay=0.9)
    changed = {k for k, v in weights(module).items() if not torch.equal(v, before[k])}
    assert changed == {"last.weight", "last.bias"}
    assert len(everything(module)) == 6
