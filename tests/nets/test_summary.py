"""Cross-attention summaries against loops over tables, variables and heads."""

import math

import pytest
import torch
import torch.nn.functional as F

from aetia.nets import CrossAttentionSummary, seeded


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=gen(seed))


def summary(bias=False, dim=8, n_heads=2):
    with seeded(gen()):
        return CrossAttentionSummary(dim, n_heads, bias=bias)


def normed(x, layer):
    return F.layer_norm(x, x.shape[-1:], layer.weight, layer.bias)


def by_loops(module, query, x, rows):
    b, n, d, dim = x.shape
    width = dim // module.n_heads
    out = torch.zeros(b, d, dim)
    for t in range(b):
        for i in range(d):
            q = module.query(normed(query[t, i], module.norm_query))
            keys, values = module.key_value(normed(x[t, :, i], module.norm_rows)).chunk(2, dim=-1)
            heads = []
            for h in range(module.n_heads):
                part = slice(h * width, (h + 1) * width)
                score = torch.stack([q[part] @ keys[r, part] for r in range(n)]) / math.sqrt(width)
                if rows is not None:
                    score = torch.where(rows[t], score, -torch.inf)
                heads.append(score.softmax(0) @ values[:, part])
            out[t, i] = module.mix(torch.cat(heads))
    return out


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("n_heads", [1, 2, 4])
@pytest.mark.parametrize("padded", [True, False])
def test_equals_the_loops(bias, n_heads, padded):
    module = summary(bias, n_heads=n_heads)
    query, x = randn(2, 3, 8), randn(2, 5, 3, 8, seed=1)
    rows = torch.tensor([[True] * 5, [True, True, False, True, False]]) if padded else None
    with torch.no_grad():
        expected = by_loops(module, query, x, rows)
        torch.testing.assert_close(module(query, x, rows), expected, rtol=1e-5, atol=1e-6)


def test_the_order_of_rows_does_not_matter_and_that_of_variables_carries_over():
    module, query, x = summary(), randn(2, 4, 8), randn(2, 6, 4, 8, seed=1)
    r, c = torch.randperm(6, generator=gen(1)), torch.randperm(4, generator=gen(2))
    with torch.no_grad():
        expected = module(query, x)
        torch.testing.assert_close(module(query, x[:, r]), expected, rtol=1e-5, atol=1e-6)
        permuted = module(query[:, c], x[:, :, c])
        torch.testing.assert_close(permuted, expected[:, c], rtol=1e-5, atol=1e-6)


def test_padded_rows_change_nothing_whatever_they_hold():
    module, query, x = summary(), randn(1, 3, 8), randn(1, 4, 3, 8, seed=1)
    padded = torch.cat([x, 1000 * randn(1, 5, 3, 8, seed=2)], 1)
    rows = torch.arange(9)[None] < 4
    with torch.no_grad():
        got = module(query, padded, rows)
        torch.testing.assert_close(got, module(query, x), rtol=1e-5, atol=1e-5)


def test_a_single_row_is_its_own_summary():
    """The weights of one row are one, whatever the query."""
    module, x = summary(), randn(1, 1, 3, 8)
    with torch.no_grad():
        values = module.key_value(normed(x, module.norm_rows))[:, 0, :, 8:]
        for seed in (1, 2):
            got = module(randn(1, 3, 8, seed=seed), x)
            torch.testing.assert_close(got, module.mix(values), rtol=1e-5, atol=1e-6)


def test_every_parameter_is_used():
    """Unused ones would break training in several processes."""
    module = summary(bias=True)
    module(randn(1, 3, 8), randn(1, 4, 3, 8, seed=1)).square().sum().backward()
    for name, p in module.named_parameters():
        assert p.grad is not None, name
    assert sum(p.numel() for p in module.parameters()) == 4 * 64 + 4 * 8 + 2 * 16
