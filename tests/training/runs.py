"""Small training runs, shared by the tests and by the processes that they start and kill.

``python runs.py killed FOLDER``: starts runs in FOLDER that die of SIGKILL.
``python -m torch.distributed.run ... runs.py distributed FOLDER``: the runs of two processes.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from pathlib import Path

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import nn

from aetia.nets import seeded
from aetia.training import Phase, TrainingConfig, train

N_COLUMNS = 3


def environment():
    """Of the processes that tests start."""
    path = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, path))}


def generator(seed):
    return torch.Generator().manual_seed(seed)


class Regression(nn.Module):
    """Two layers, dropout between them, and a dual."""

    def __init__(self, dropout=0.3):
        super().__init__()
        self.first = nn.Linear(N_COLUMNS, 8)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(8)
        self.last = nn.Linear(8, 1)
        self.register_buffer("dual", torch.zeros((), dtype=torch.float64))

    def forward(self, x):
        return self.last(self.norm(self.dropout(self.first(x).tanh())))


def regression(dropout=0.3, dtype=torch.float32):
    with seeded(generator(1)):
        return Regression(dropout).to(dtype)


def table(k, n=8, dtype=torch.float32):
    """Batch number k."""
    return torch.randn(n, N_COLUMNS, generator=generator(1000 + k), dtype=torch.float64).to(dtype)


def tables(start, **options):
    while True:
        yield table(start, **options)
        start += 1


def target(x):
    return x.square().sum(1, keepdim=True)


def squared_error(module, x, step, generator):
    """Mean squared error plus a penalty with the dual as its multiplier; no noise."""
    predicted = module(x)
    error = (predicted - target(x)).square().mean()
    penalty = predicted.square().mean()
    return error + module_of(module).dual.to(error) * penalty, {"error": error, "penalty": penalty}


def noisy_error(module, x, step, generator):
    noise = torch.randn(len(x), 1, generator=generator)
    loss, parts = squared_error(module, x, step, generator)
    return loss + (noise * module(x)).mean(), parts


def module_of(wrapped):
    """The module itself, out of the wrappers of Fabric and DDP."""
    while hasattr(wrapped, "module"):
        wrapped = wrapped.module
    return wrapped


def everything(module):
    return list(module.parameters())


def options(**changes):
    """A short, silent run."""
    return TrainingConfig(
        **{
            "n_steps": 12,
            "learning_rate": 1e-2,
            "log_every": 4,
            "validate_every": 0,
            "checkpoint_every": 4,
            "progress": False,
            **changes,
        }
    )


def phase(loss=squared_error, parameters=everything, **changes):
    return Phase(**{"parameters": parameters, "loss": loss, **changes})


# -- the run that is killed and resumed -----------------------------------------------------


N_STEPS, BEST_STEP, LAST_STEP = 48, 16, 32


def full_run(folder, *, before_loss=lambda step: None, **arguments):
    """Dropout, noise, EMA, accumulation, a dual, a plateau schedule and early stopping at once.

    Validation is best at step 16; the rate falls at 24 and 32, where patience ends too.
    """
    module = regression()

    def loss(module, x, step, generator):
        before_loss(step)
        return noisy_error(module, x, step, generator)

    def dual_ascent(step, info):
        module.dual += 0.01 * info["penalty"]
        return {"dual": float(module.dual)}

    def validate(scored, step):
        shift = abs(step - BEST_STEP) + float(scored(table(-1)).mean()) * 1e-3
        return [{"task": f"t{i}", "loss": shift + 0.1 * i} for i in range(3)]

    config = options(
        n_steps=N_STEPS,
        accumulate=2,
        schedule="plateau",
        plateau_patience=1,
        warmup=0.1,
        clip_norm=0.5,
        ema_decay=0.9,
        validate_every=4,
        patience=4,
    )
    return train(
        module,
        [phase(loss)],
        tables,
        config=config,
        seed=5,
        folder=folder,
        validate=validate,
        on_step_end=dual_ascent,
        **arguments,
    )


def stream_run(folder, n_workers):
    """Pre-train a tiny AVICI on simulated tasks, with dropout and its dual."""
    from aetia.discovery.amortised import PretrainingData, build_network, pretrain_network
    from aetia.discovery.avici import AVICIConfig
    from aetia.discovery.avici.network import AVICINetwork
    from aetia.scm import Family

    sizes = {"dim": 8, "n_layers": 1, "n_heads": 2, "head_dim": 4, "dropout": 0.1}
    network = build_network(AVICINetwork, AVICIConfig(**sizes, dual_step=0.1), seed=3)
    family = Family(d=4, n=12, graphs={"name": "erdos-renyi", "edges": 3})
    data = PretrainingData(
        family=family, batch_size=2, seed=1, replay=2, validation_numbers=(1, 2), n_draws=4
    )
    config = options(n_steps=12, validate_every=4, ema_decay=0.5, n_workers=n_workers)
    return pretrain_network(network, data, config, seed=2, folder=folder)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def _in_mid_write(n_writes):
    """Die in the n-th write of a checkpoint, when half of the bytes are on the disk."""
    sync, count = os.fsync, [0]

    def fsync(handle):
        count[0] += 1
        if count[0] == n_writes:
            os.ftruncate(handle, os.fstat(handle).st_size // 2)
            die()
        sync(handle)

    os.fsync = fsync


def _before_rename(n_writes):
    """Die when the n-th checkpoint is complete but has not its name yet."""
    replace, count = os.replace, [0]

    def patched(*arguments):
        count[0] += 1
        if count[0] == n_writes:
            die()
        replace(*arguments)

    os.replace = patched


def _killed_in_a_step(folder):
    full_run(folder, before_loss=lambda step: die() if step == 10 else None)


def _killed_in_mid_write(folder):
    _in_mid_write(7)  # best and last at 4, 8, 12; best at 16
    full_run(folder)


def _killed_in_mid_write_of_the_last(folder):
    _in_mid_write(12)  # no new best from step 20 on: the checkpoint of step 32
    full_run(folder)


def _killed_before_the_rename(folder):
    _before_rename(4)
    full_run(folder)


def _killed_before_the_first_checkpoint(folder):
    full_run(folder, before_loss=lambda step: die() if step == 2 else None)


def _stream_killed(n_workers):
    def run(folder):
        _in_mid_write(6)  # while the third checkpoint is written, or the third best
        stream_run(folder, n_workers)

    return run


DEATHS = {
    "in a step": _killed_in_a_step,
    "in mid-write of the best": _killed_in_mid_write,
    "in mid-write of the last": _killed_in_mid_write_of_the_last,
    "before the rename": _killed_before_the_rename,
    "before the first checkpoint": _killed_before_the_first_checkpoint,
}
STREAM_DEATHS = {"0 workers": _stream_killed(0), "2 workers": _stream_killed(2)}


def _slow_run(folder):
    full_run(folder, before_loss=lambda step: time.sleep(0.01))


def _start(target, folder):
    child = os.fork()
    if child:
        return child
    try:
        target(folder)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _await_death(child):
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the run was not killed, it ended with {status}"
    assert os.WTERMSIG(status) == signal.SIGKILL


def killed(root):
    """Run every scenario in a process of its own, which dies."""
    import aetia.discovery.amortised  # noqa: F401  # once, and not in every child

    torch.set_num_threads(1)
    for name, target in {**DEATHS, **STREAM_DEATHS}.items():
        _await_death(_start(target, root / name))
    # From outside, again and again: wherever the run happens to be some time after a checkpoint.
    folder = root / "from outside"
    for k, delay in enumerate((0.0, 0.013, 0.037)):
        child = _start(_slow_run, folder)
        awaited = folder / "checkpoints" / f"step-{4 * (k + 1) + 4 * k:09d}.ckpt"
        while not awaited.exists():
            time.sleep(0.001)
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        _await_death(child)


# -- runs of several processes ----------------------------------------------------------------


class Recording:
    """A tracker that remembers."""

    def __init__(self):
        self.rows = []
        self.n_closed = 0

    def log(self, row, step):
        self.rows.append((step, dict(row)))

    def close(self):
        self.n_closed += 1


def shared_tables(fabric):
    """Each process takes every other row of a batch; together they have it once."""

    def batches(start):
        for x in tables(start, dtype=torch.float64):
            yield x[fabric.global_rank :: fabric.world_size]

    return batches


def shared_validation(fabric):
    """Five tasks in uneven shares; the first is scored by everybody. Best at step 8."""

    def validate(module, step):
        mine = sorted({0, *range(fabric.global_rank, 5, fabric.world_size)})
        rows = []
        for k in mine:
            x = table(-1 - k, dtype=torch.float64)
            error = float((module(x) - target(x)).square().mean())
            rows.append({"task": f"t{k}", "loss": error + 10 * abs(step - 8), "error": error})
        return rows

    return validate


def plain_distributed(fabric, folder=None, tracker=None):
    config = options(
        n_steps=20,
        accumulate=2,
        clip_norm=0.5,
        ema_decay=0.9,
        validate_every=4,
        patience=2,
        learning_rate=0.03,
        schedule="plateau",
        plateau_patience=0,
    )
    return train(
        regression(0.0, torch.float64),
        [phase()],
        shared_tables(fabric),
        config=config,
        seed=5,
        fabric=fabric,
        folder=folder,
        validate=shared_validation(fabric),
        trackers=[tracker] if tracker else (),
    )


def dual_distributed(fabric, folder=None):
    module = regression(0.0, torch.float64)

    def dual_ascent(step, info):
        module.dual += 0.05 * info["penalty"]
        return {"dual": float(module.dual)}

    return train(
        module,
        [phase()],
        shared_tables(fabric),
        config=options(),
        seed=5,
        fabric=fabric,
        on_step_end=dual_ascent,
    )


class Players(nn.Module):
    """A generator that is to please a critic, both linear."""

    def __init__(self):
        super().__init__()
        self.player = nn.Linear(N_COLUMNS, N_COLUMNS)
        self.critic = nn.Linear(N_COLUMNS, 1)

    def forward(self, x, who):
        fake = self.player(x)
        if who == "player":
            return -self.critic(fake).mean()
        return self.critic(fake.detach()).mean() - self.critic(x + 1).mean()


def players(dtype=torch.float64):
    with seeded(generator(2)):
        return Players().to(dtype)


def adversaries(**changes):
    return [
        phase(
            lambda m, x, step, g: (m(x, "critic"), {}),
            lambda m: list(m.critic.parameters()),
            name="critic",
            **changes,
        ),
        phase(
            lambda m, x, step, g: (m(x, "player"), {}),
            lambda m: list(m.player.parameters()),
            name="player",
            every=3,
            **changes,
        ),
    ]


def adversarial_distributed(fabric, folder=None):
    return train(
        players(),
        adversaries(),
        shared_tables(fabric),
        config=options(),
        seed=5,
        fabric=fabric,
    )


DISTRIBUTED = {
    "plain": plain_distributed,
    "dual": dual_distributed,
    "adversarial": adversarial_distributed,
}


def distributed(root):
    """Run every scenario on this process's share and save what came out."""
    torch.set_num_threads(1)
    # Each phase of the adversarial run has some of the parameters only.
    strategy = DDPStrategy(process_group_backend="gloo", find_unused_parameters=True)
    fabric = Fabric(accelerator="cpu", devices=2, strategy=strategy)
    fabric.launch()
    out = {"world_size": fabric.world_size}
    tracker = Recording()
    for name, run in DISTRIBUTED.items():
        folder = root / name if name == "plain" else None
        more = {"tracker": tracker} if name == "plain" else {}
        try:
            trained = run(fabric, folder, **more)
            out[name] = summary(trained)
        except Exception as error:
            out[name] = repr(error)
    out["tracked"] = len(tracker.rows)
    torch.save(out, root / f"rank-{fabric.global_rank}.pt")


def summary(trained):
    return {
        "weights": dict(trained.module.state_dict()),
        "step": trained.step,
        "best_step": trained.best_step,
        "best_metrics": trained.best_metrics,
        "rows": trained.rows,
    }


if __name__ == "__main__":
    {"killed": killed, "distributed": distributed}[sys.argv[1]](Path(sys.argv[2]))
