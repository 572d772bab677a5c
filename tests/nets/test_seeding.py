"""Blocks with a seed of their own leave the global state alone."""

import pytest
import torch
from torch import nn

from aetia.nets import seeded


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def weights(generator):
    with seeded(generator):
        return nn.Linear(4, 4).weight.detach()


def test_the_generator_decides_what_layers_draw():
    assert torch.equal(weights(gen(1)), weights(gen(1)))
    assert not torch.equal(weights(gen(1)), weights(gen(2)))


def test_blocks_after_each_other_differ_and_the_generator_advances_by_one_draw():
    one, two = gen(1), gen(1)
    assert not torch.equal(weights(one), weights(one))
    torch.randint(2**62, (2,), generator=two)
    assert torch.equal(torch.rand(3, generator=one), torch.rand(3, generator=two))


def test_the_global_state_is_restored():
    before = torch.random.get_rng_state()
    weights(gen())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_global_state_is_restored_after_an_error():
    def fail():
        with seeded(gen()):
            torch.rand(3)
            raise ZeroDivisionError

    before = torch.random.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_global_state_does_not_decide():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = weights(gen())
        torch.manual_seed(2)
        assert torch.equal(weights(gen()), first)


def test_blocks_nest():
    with seeded(gen(1)):
        plain = torch.rand(2), torch.rand(2)
    with seeded(gen(1)):
        first = torch.rand(2)
        with seeded(gen(2)):
            torch.rand(5)
        second = torch.rand(2)
    assert torch.equal(first, plain[0])
    assert torch.equal(second, plain[1])


def test_dropout_follows_the_seed():
    drop = nn.Dropout(0.5)
    x = torch.ones(100)
    with seeded(gen(1)):
        first = drop(x)
    with seeded(gen(1)):
        assert torch.equal(drop(x), first)
    with seeded(gen(2)):
        assert not torch.equal(drop(x), first)
