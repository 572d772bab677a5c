"""The same code on a GPU, and clear words where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from aetia.discovery import AVICI, BCNP, AVICIConfig, DiBS
from aetia.errors import InputError
from aetia.scm import Family
from aetia.training import TrainingConfig


def chain(n: int = 200) -> np.ndarray:
    e = np.random.default_rng(0).normal(size=(n, 3))
    e[:, 1] += 2.0 * e[:, 0]
    e[:, 2] -= 1.5 * e[:, 1]
    return e


@pytest.mark.gpu
@pytest.mark.parametrize("likelihood", ["bge", "linear", "mlp"])
def test_a_fit_on_the_gpu_gives_results_on_the_cpu(likelihood):
    fit = DiBS(likelihood, n_particles=5, n_steps=50, device="cuda", random_state=0).fit(chain())
    assert fit.posterior_.facts.device.startswith("cuda")
    assert all(v.device.type == "cpu" for v in fit.particles_.values())


@pytest.mark.gpu
@pytest.mark.parametrize("method", [AVICI, BCNP])
def test_amortised_methods_predict_the_same_on_the_gpu(method):
    on_cpu = method(device="cpu", random_state=0).fit(chain()).posterior_
    on_gpu = method(device="cuda", random_state=0).fit(chain()).posterior_
    assert on_gpu.facts.device.startswith("cuda")
    gap = np.abs(on_cpu.edge_probabilities() - on_gpu.edge_probabilities()).max()
    assert gap < 1e-3


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_pretraining_runs_on_the_gpu_with_tasks_made_there(precision):
    family = Family(d=5, n=40, mechanisms={"name": "mixture", "of": ["linear", "mlp", "gp"]})
    network = AVICIConfig(dim=32, n_layers=1, n_heads=2, head_dim=16)
    training = TrainingConfig(n_steps=10, precision=precision, log_every=5, validate_every=5)
    model = AVICI.pretrain(
        family, network=network, training=training, device="cuda", validation_numbers=range(2)
    )
    assert np.isfinite(model.weights.card["metrics"]["loss"])
    assert model.weights.card["skipped_steps"] == 0


def test_a_device_that_is_not_there_is_named():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(InputError, match=r"torch sees no CUDA device. Use device='auto'"):
        DiBS(device="cuda", n_steps=5).fit(chain())


def test_a_device_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="device must be 'auto', 'cpu' or 'cuda', got 'abacus'"):
        DiBS(device="abacus", n_steps=5).fit(chain())
