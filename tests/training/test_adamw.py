"""The quick optimiser against the one it stands for."""

import copy

import torch

from aetia.training.adamw import AdamW


def parameters():
    g = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(s, generator=g)) for s in ((3, 4), (4,), (2, 5))]


def groups(ps):
    return [{"params": ps[:1], "weight_decay": 0.1}, {"params": ps[1:], "weight_decay": 0.0}]


def walk(optimiser, ps, steps):
    for k in steps:
        g = torch.Generator().manual_seed(k)
        for i, p in enumerate(ps):
            # The last tensor is left out now and then, as an unused branch would.
            p.grad = None if i == 2 and k % 3 == 0 else torch.randn(p.shape, generator=g)
        for group in optimiser.param_groups:
            group["lr"] = 0.1 / (k + 1)
        optimiser.step()


def test_steps_are_those_of_torch_to_the_bit():
    ours, theirs = parameters(), parameters()
    options = {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-6, "fused": True}
    walk(AdamW(groups(ours), **options), ours, range(12))
    walk(torch.optim.AdamW(groups(theirs), **options), theirs, range(12))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_its_state_is_that_of_torch_and_comes_back():
    whole, first = parameters(), parameters()
    walk(AdamW(groups(whole), lr=0.1, fused=True), whole, range(8))
    optimiser = AdamW(groups(first), lr=0.1, fused=True)
    walk(optimiser, first, range(4))
    other = torch.optim.AdamW(groups(first), lr=0.1, fused=True)
    other.load_state_dict(copy.deepcopy(optimiser.state_dict()))
    second = AdamW(groups(first), lr=0.1, fused=True)
    second.load_state_dict(other.state_dict())
    walk(second, first, range(4, 8))
    assert all(torch.equal(a, b) for a, b in zip(whole, first, strict=True))


def test_a_closure_is_called_with_gradients():
    p = torch.nn.Parameter(torch.ones(2))
    optimiser = AdamW([p], lr=0.1, fused=True)

    def closure():
        optimiser.zero_grad()
        loss = p.square().sum()
        loss.backward()
        return loss

    losses = [float(optimiser.step(closure)) for _ in range(3)]
    assert losses[0] > losses[1] > losses[2]
