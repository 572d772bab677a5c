"""Axial attention against torch's own layer; symmetries, padding, chunks, memory."""

import math
import resource

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from aetia.nets import AxialBlock, AxialEncoder, axial, seeded


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=gen(seed))


def encoder(n_blocks=4, dim=8, n_heads=2, seed=1, **options):
    with seeded(gen(seed)):
        return AxialEncoder(n_blocks, dim, n_heads, **options).eval()


def rough(module):
    """Biases and normalisations away from 0 and 1, where mistakes would not show."""
    with torch.no_grad():
        for k, p in enumerate(module.parameters()):
            if p.ndim < 2:
                p += 0.3 * torch.randn(p.shape, generator=gen(100 + k))
    return module


def of_torch(block, bias):
    """The same layer out of torch, with the same weights."""
    dim, ff = block.mix.out_features, block.widen.out_features
    with seeded(gen()):
        layer = nn.TransformerEncoderLayer(
            dim, block.n_heads, ff, 0.0, batch_first=True, norm_first=True, bias=bias
        ).eval()
    pairs = {
        "self_attn.in_proj_": block.qkv,
        "self_attn.out_proj.": block.mix,
        "linear1.": block.widen,
        "linear2.": block.narrow,
        "norm1.": block.norm_attention,
        "norm2.": block.norm_ff,
    }
    state = {a + k: v for a, m in pairs.items() for k, v in m.state_dict().items()}
    layer.load_state_dict(state)
    return layer


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("padded", [True, False])
def test_a_block_is_a_transformer_layer_of_torch(bias, padded):
    with seeded(gen()):
        block = rough(AxialBlock(8, 2, bias=bias, ff_dim=12).eval())
    x = randn(2, 3, 5, 8)
    keep = torch.tensor([[True] * 5, [True] * 3 + [False] * 2]) if padded else None
    layer = of_torch(block, bias)
    for b in range(2):
        ignored = None if keep is None else ~keep[b].expand(3, 5)
        with torch.no_grad():
            expected = layer(x[b], src_key_padding_mask=ignored)
            got = block(x, keep)[b]
        real = slice(None) if keep is None else keep[b]
        torch.testing.assert_close(got[:, real], expected[:, real], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows_first", [True, False])
def test_blocks_alternate_between_the_axes(rows_first):
    network = rough(encoder(3, rows_first=rows_first))
    x = randn(1, 4, 3, 8)
    expected, over_rows = x[0], rows_first
    with torch.no_grad():
        for block in network.blocks:
            layer = of_torch(block, True)
            expected = (
                layer(expected.transpose(0, 1)).transpose(0, 1) if over_rows else layer(expected)
            )
            over_rows = not over_rows
        torch.testing.assert_close(network(x)[0], expected, rtol=1e-5, atol=1e-5)


tables = {"n": st.integers(1, 7), "d": st.integers(1, 6), "seed": st.integers(0, 1000)}
NETWORK = rough(encoder())


@given(**tables)
def test_permuting_rows_and_variables_permutes_the_tokens(n, d, seed):
    """Any number of either."""
    x = randn(2, n, d, 8, seed=seed)
    rows, columns = torch.randperm(n, generator=gen(seed)), torch.randperm(d, generator=gen(seed))
    with torch.no_grad():
        expected = NETWORK(x)[:, rows][:, :, columns]
        got = NETWORK(x[:, rows][:, :, columns])
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
    assert got.isfinite().all()


@given(**tables, more_rows=st.integers(0, 4), more_columns=st.integers(0, 3))
def test_padding_changes_nothing_whatever_it_holds(n, d, seed, more_rows, more_columns):
    x = randn(1, n, d, 8, seed=seed)
    padded = 100 * randn(1, n + more_rows, d + more_columns, 8, seed=seed + 1)
    padded[:, :n, :d] = x
    rows, variables = torch.arange(n + more_rows) < n, torch.arange(d + more_columns) < d
    with torch.no_grad():
        got = NETWORK(padded, rows[None], variables[None])[:, :n, :d]
        torch.testing.assert_close(got, NETWORK(x), rtol=1e-5, atol=1e-5)


def test_padding_is_of_each_table_its_own():
    x = randn(2, 6, 4, 8)
    rows = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    variables = torch.tensor([[True] * 2 + [False] * 2, [True] * 4])
    with torch.no_grad():
        both = NETWORK(x, rows, variables)
        torch.testing.assert_close(both[:1, :, :2], NETWORK(x[:1, :, :2]), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(both[1:, :4], NETWORK(x[1:, :4]), rtol=1e-5, atol=1e-5)


def test_padding_gets_and_gives_no_gradient():
    x = randn(1, 5, 3, 8).requires_grad_()
    rows, variables = torch.arange(5)[None] < 3, torch.arange(3)[None] < 2
    NETWORK(x, rows, variables)[:, :3, :2].square().sum().backward()
    assert x.grad.isfinite().all()
    assert x.grad[:, :3, :2].abs().min() > 0
    assert x.grad[:, 3:].abs().max() == 0
    assert x.grad[:, :, 2:].abs().max() == 0


@pytest.mark.parametrize("rows_first", [True, False])
@pytest.mark.parametrize("tokens", [1, 20, 50])
def test_chunks_change_nothing(rows_first, tokens, monkeypatch):
    network = rough(encoder(rows_first=rows_first))
    x = randn(3, 9, 5, 8)
    rows, variables = torch.ones(3, 9, dtype=torch.bool), torch.ones(3, 5, dtype=torch.bool)
    rows[0, 7:], variables[1, 3:] = False, False
    whole = network(x, rows, variables)  # with gradients, nothing is chunked
    monkeypatch.setattr(axial, "_CHUNK_TOKENS", {"cpu": tokens})
    with torch.no_grad():
        torch.testing.assert_close(network(x, rows, variables), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("n", "padded"), [(20_000, False), (12_000, True)])
def test_memory_grows_linearly_with_the_rows(n, padded):
    """The square of 12 000 rows alone would be 0.6 GB for each variable and head."""
    network = encoder(2, 4, 1, ff_dim=4)
    x = randn(1, n, 3, 4)
    rows = torch.arange(n)[None] < n - 100 if padded else None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with torch.no_grad():
        out = network(x, rows)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert out.isfinite().all()
    assert grown < 250_000, f"{grown / 1e6:.1f} GB"


def test_parameters_are_as_many_as_worked_out_by_hand():
    """AVICI's encoder; with embedding, heads and its extra normalisations that is 4.27 million."""
    network = encoder(16, 128, 8, head_dim=32)
    attention = 128 * 3 * 256 + 3 * 256 + 256 * 128 + 128
    feed_forward = 128 * 512 + 512 + 512 * 128 + 128
    expected = 16 * (attention + feed_forward + 2 * 2 * 128)
    assert sum(p.numel() for p in network.parameters()) == expected
    without = encoder(2, 8, 2, bias=False, ff_dim=5)
    expected = 2 * (8 * 24 + 8 * 8 + 8 * 5 + 5 * 8 + 2 * 8)
    assert sum(p.numel() for p in without.parameters()) == expected


@pytest.mark.parametrize("scale", [2.0, 1 / 3])
def test_initial_weights_have_the_variance_that_was_asked_for(scale):
    """65 536 draws at 4.5 sigma, one false alarm in 150 000 seeds."""
    with seeded(gen()):
        w = AxialBlock(128, 8, init_scale=scale).widen.weight.detach()
    variance = scale / 128
    se = variance * math.sqrt((9 / 5 - 1) / w.numel())
    assert abs(float(w.var()) - variance) < 4.5 * se
    assert w.abs().max() <= math.sqrt(3 * variance)


def test_dropout_is_of_training_only():
    network = encoder(dropout=0.5)
    x = randn(1, 4, 3, 8)
    assert torch.equal(network(x), network(x))
    network.train()
    with seeded(gen(1)):
        first = network(x)
    with seeded(gen(1)):
        again = network(x)
    with seeded(gen(2)):
        other = network(x)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
