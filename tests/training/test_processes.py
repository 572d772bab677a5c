"""Two processes give the weights and metrics of one, over gloo."""

import subprocess
import sys

import pytest
import torch
from lightning_fabric.strategies.ddp import DDPStrategy

from aetia.errors import InputError
from aetia.training import load_checkpoint, make_fabric, read_record
from aetia.training.gather import gather_rows
from training import runs

# Sums in another order: float64 leaves about 1e-15 of that after a few steps.
CLOSE = {"rtol": 1e-9, "atol": 1e-11}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What every rank of two processes got."""
    root = tmp_path_factory.mktemp("two processes")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*launch, "--nproc-per-node", "2", runs.__file__, "distributed", str(root)],
        env=runs.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ranks = [torch.load(root / f"rank-{r}.pt", weights_only=True) for r in range(2)]
    assert [r["world_size"] for r in ranks] == [2, 2]
    return ranks, root


def alone(name, folder=None):
    return runs.summary(runs.DISTRIBUTED[name](make_fabric(device="cpu"), folder))


@pytest.mark.parametrize("name", runs.DISTRIBUTED)
def test_two_processes_train_the_weights_of_one(name, two):
    """Clipping, averages and early stopping; duals; phases that alternate."""
    expected = alone(name)
    for rank in two[0]:
        got = rank[name]
        assert not isinstance(got, str), got
        assert got["step"] == expected["step"]
        torch.testing.assert_close(got["weights"], expected["weights"], **CLOSE)


@pytest.mark.parametrize("name", runs.DISTRIBUTED)
def test_ranks_agree_with_each_other_exactly(name, two):
    first, second = (rank[name] for rank in two[0])
    assert not isinstance(first, str), first
    for k, v in first["weights"].items():
        assert torch.equal(v, second["weights"][k]), k


def test_metrics_count_every_task_once_on_every_rank(two):
    """Shares are uneven, and both ranks score the first task."""
    expected = alone("plain")
    assert (expected["step"], expected["best_step"]) == (16, 8)
    for rank in two[0]:
        got = rank["plain"]
        assert got["best_step"] == expected["best_step"]
        assert got["best_metrics"] == pytest.approx(expected["best_metrics"], rel=1e-9)


def test_losses_are_averaged_over_the_processes_before_they_are_logged(two):
    expected = alone("plain")["rows"]
    for rank in two[0]:
        got = rank["plain"]["rows"]
        assert [r["step"] for r in got] == [r["step"] for r in expected]
        for a, b in zip(got, expected, strict=True):
            for name in ("loss", "error", "penalty", "gradient_norm", "clipped_share"):
                if name in b:
                    assert a[name] == pytest.approx(b[name], rel=1e-9), name


def test_one_process_writes(two):
    ranks, root = two
    files = sorted(f.name for f in (root / "plain" / "checkpoints").iterdir())
    last = ranks[0]["plain"]["step"] // 4 * 4
    assert files == ["best.ckpt", f"step-{last - 4:09d}.ckpt", f"step-{last:09d}.ckpt"]
    steps = [r["step"] for r in read_record(root / "plain" / "health.jsonl")]
    assert steps == [r["step"] for r in ranks[0]["plain"]["rows"]]


def test_one_process_feeds_the_trackers(two):
    """Two event files with the same curves would look like two runs."""
    assert two[0][0]["tracked"] > 0
    assert two[0][1]["tracked"] == 0


def test_a_run_of_two_processes_has_the_checkpoint_of_one(two, tmp_path):
    alone("plain", tmp_path)
    name = sorted(f.name for f in (tmp_path / "checkpoints").iterdir())[-1]
    expected = load_checkpoint(tmp_path / "checkpoints" / name)
    got = load_checkpoint(two[1] / "plain" / "checkpoints" / name)
    torch.testing.assert_close(got["module"], expected["module"], **CLOSE)
    torch.testing.assert_close(got["ema"], expected["ema"], **CLOSE)


# -- one process ----------------------------------------------------------------------------------


def test_rows_of_one_process_are_sorted_and_without_duplicates():
    rows = [{"task": "b", "f1": 1.0}, {"task": "a", "f1": 2.0}, {"task": "b", "f1": 1.0}]
    got = gather_rows(make_fabric(device="cpu"), rows)
    assert got == [{"task": "a", "f1": 2.0}, {"task": "b", "f1": 1.0}]


def test_impossible_devices_are_named():
    with pytest.raises(InputError, match="tpu"):
        make_fabric(device="tpu")
    n = torch.cuda.device_count() + 1
    with pytest.raises(InputError, match=f"devices={n}"):
        make_fabric(device="cuda", devices=n)


def test_several_processes_on_the_cpu_talk_by_gloo():
    fabric = make_fabric(device="cpu", devices=2)  # nothing starts before launch()
    assert isinstance(fabric.strategy, DDPStrategy)
    assert fabric.strategy.process_group_backend == "gloo"
    assert not isinstance(make_fabric(device="cpu").strategy, DDPStrategy)
