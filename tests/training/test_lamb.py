"""LAMB against its algorithm in NumPy, and through the loop."""

import numpy as np
import pytest
import torch

from aetia.training import TrainingConfig, train
from aetia.training.lamb import LAMB
from training.runs import phase, regression, tables


def by_hand(weights, gradients, lr, betas, eps, decay):
    w = [x.copy() for x in weights]
    m = [np.zeros_like(x) for x in w]
    v = [np.zeros_like(x) for x in w]
    for t, gs in enumerate(gradients, 1):
        for k, g in enumerate(gs):
            m[k] = betas[0] * m[k] + (1 - betas[0]) * g
            v[k] = betas[1] * v[k] + (1 - betas[1]) * g**2
            first, second = m[k] / (1 - betas[0] ** t), v[k] / (1 - betas[1] ** t)
            u = first / (np.sqrt(second) + eps) + decay[k] * w[k]
            size, length = np.linalg.norm(w[k]), np.linalg.norm(u)
            w[k] = w[k] - lr * (size / length if size > 0 and length > 0 else 1.0) * u
    return w


def test_updates_are_those_of_the_paper():
    rng = np.random.default_rng(0)
    start = [rng.normal(size=(3, 4)), np.zeros(4)]
    gradients = [[rng.normal(size=(3, 4)), rng.normal(size=4)] for _ in range(5)]
    matrix, bias = (torch.nn.Parameter(torch.tensor(w)) for w in start)
    groups = [{"params": [matrix], "weight_decay": 0.1}, {"params": [bias]}]
    optimiser = LAMB(groups, lr=0.05, betas=(0.8, 0.95), eps=1e-6)
    for gm, gb in gradients:
        matrix.grad, bias.grad = torch.tensor(gm), torch.tensor(gb)
        optimiser.step()
    expected = by_hand(start, gradients, 0.05, (0.8, 0.95), 1e-6, [0.1, 0.0])
    np.testing.assert_allclose(matrix.detach().numpy(), expected[0], rtol=1e-12)
    np.testing.assert_allclose(bias.detach().numpy(), expected[1], rtol=1e-12)


def test_the_size_of_the_gradient_does_not_matter():
    def after(scale):
        p = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
        optimiser = LAMB([p], lr=0.1, eps=1e-300)
        p.grad = scale * torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
        optimiser.step()
        return p.detach()

    torch.testing.assert_close(after(1.0), after(1e6))


def test_parameters_without_a_gradient_stay():
    p = torch.nn.Parameter(torch.ones(2))
    LAMB([p], lr=0.1).step()
    assert torch.equal(p.detach(), torch.ones(2))


@pytest.mark.parametrize("optimiser", ["adamw", "lamb"])
def test_a_run_in_two_pieces_gives_the_same_bits(optimiser, tmp_path):
    def run(n_steps, folder):
        module = regression(0.0)
        config = TrainingConfig(
            n_steps=n_steps,
            cosine_steps=8,
            optimiser=optimiser,
            learning_rate=0.01,
            checkpoint_every=4,
            validate_every=0,
            progress=False,
        )
        return train(module, [phase()], tables, config=config, seed=0, folder=folder, force=True)

    run(4, tmp_path / "a")
    resumed = run(8, tmp_path / "a")
    whole = run(8, tmp_path / "b")
    assert resumed.step == whole.step == 8
    for a, b in zip(
        resumed.module.state_dict().values(), whole.module.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b)
