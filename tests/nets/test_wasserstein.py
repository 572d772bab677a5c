"""The critics' loss with its gradient written out, against automatic differentiation."""

import pytest
import torch

from aetia.nets import Discriminator, gradient_penalty, seeded, wasserstein_loss

MEMBERS, ROWS, INPUTS = 3, 8, 5


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def critics(hidden):
    with seeded(gen()):
        d = Discriminator(INPUTS, hidden, MEMBERS).double()
    with torch.no_grad():
        for p in d.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=gen(1), dtype=p.dtype))
    return d


def batch(seed):
    return torch.randn(MEMBERS, ROWS, INPUTS, generator=gen(seed), dtype=torch.float64)


def gradients(d, loss):
    return torch.autograd.grad(loss, list(d.parameters()))


@pytest.mark.parametrize("hidden", [(), (7,), (7, 6, 4)])
@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 0.0), (-0.5, 2.0)])
def test_values_and_gradients_are_those_of_automatic_differentiation(hidden, weights):
    d, real, fake = critics(hidden), batch(2), batch(3)
    of_members = torch.tensor([1.0, 2.0, -0.5], dtype=torch.float64)

    def loss(gap, slope):
        return (of_members * (weights[0] * gap + weights[1] * slope)).sum()

    # A plain function keeps the penalty from using the slope that critics write out themselves.
    slope = 7 * gradient_penalty(lambda x: d(x), real, fake, gen(4)).mean(-1)
    gap = d(fake).mean(-1) - d(real).mean(-1)
    found = wasserstein_loss(d, real, fake, gen(4), penalty=7.0)
    torch.testing.assert_close(found, (gap, slope))
    expected = torch.autograd.grad(loss(gap, slope), list(d.parameters()), materialize_grads=True)
    torch.testing.assert_close(gradients(d, loss(*found)), expected)


def test_a_flat_critic_has_a_gradient_that_is_a_number():
    # The norm of the slope is zero there, where its derivative is not defined.
    d = critics((4,))
    with torch.no_grad():
        d.weights[-1].zero_()
    loss = torch.stack(wasserstein_loss(d, batch(2), batch(3), gen())).sum()
    assert all(g.isfinite().all() for g in gradients(d, loss))


def test_rows_of_one_member_do_not_reach_another():
    d, real, fake = critics((6, 4)), batch(2), batch(3)
    moved = torch.cat([fake[:1], fake[1:] + 1])
    first, second = (
        gradients(d, torch.stack(wasserstein_loss(d, real, f, gen())).sum()) for f in (fake, moved)
    )
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0][1], second[0][1])
