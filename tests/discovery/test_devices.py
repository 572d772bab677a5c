"""The same code on a GPU, and clear words where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from aetia.discovery import DiBS
from aetia.errors import InputError


def chain(n: int = 200) -> np.ndarray:
    e = np.random.default_rng(0).normal(size=(n, 3))
    e[:, 1] += 2.0 * e[:, 0]
    e[:, 2] -= 1.5 * e[:, 1]
    return e


@pytest.mark.gpu
@pytest.mark.parametrize("likelihood", ["bge", "linear", "mlp"])
def test_a_fit_on_the_gpu_gives_results_on_the_cpu(likelihood):
    fit = DiBS(likelihood, n_particles=5, n_steps=50, device="cuda", random_state=0).fit(chain())
    assert fit.posterior_.diagnostics["device"].startswith("cuda")
    assert all(v.device.type == "cpu" for v in fit.particles_.values())


def test_a_device_that_is_not_there_is_named():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(InputError, match=r"torch sees no CUDA device. Use device='auto'"):
        DiBS(device="cuda", n_steps=5).fit(chain())


def test_a_device_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match="device must be 'auto', 'cpu' or 'cuda', got 'abacus'"):
        DiBS(device="abacus", n_steps=5).fit(chain())
