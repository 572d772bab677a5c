"""The diffusion transformer: its start, what draws share, time and classes."""

import pytest
import torch
import torch.nn.functional as F

from aetia.errors import InputError
from aetia.nets import seeded
from aetia.nets.dit import DiT, grid_positions

SHAPE = (2, 4, 6)


def halves(t):
    return 1 - t, t


def make(seed=0, moved=False, **options):
    with seeded(torch.Generator().manual_seed(seed)):
        net = DiT(SHAPE, width=16, depth=3, n_heads=2, n_time_features=8, **options)
        if moved:  # away from the start, where every block is the identity
            for p in net.parameters():
                p.data += 0.1 * torch.randn_like(p)
    return net


def question(n=3, m=4, seed=1):
    g = torch.Generator().manual_seed(seed)
    x_t = torch.randn((n, *SHAPE), generator=g)
    t = torch.rand(n, generator=g)
    return x_t, t, torch.randn((n, m, *SHAPE), generator=g)


def test_it_starts_as_the_skip_connection_alone():
    x_t, t, xi = question()
    out = make(skip=halves)(x_t, t, xi)
    torch.testing.assert_close(out, ((1 - t).view(-1, 1, 1, 1) * x_t)[:, None].expand_as(out))


def test_blocks_are_the_identity_at_the_start_and_not_later():
    h = torch.randn(2, 3, 6, 16, generator=torch.Generator().manual_seed(0))
    condition = torch.randn(2, 16, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(make().blocks[0](h, condition), h)
    assert (make(moved=True).blocks[0](h, condition) - h).abs().max() > 0.1


def test_the_plain_network_hears_the_noise_from_the_start():
    x_t, t, xi = question()
    out = make()(x_t, t, xi)
    assert (out[:, 0] - out[:, 1]).abs().max() > 0.1


def test_without_shared_blocks_image_and_noise_enter_as_channels_of_one_convolution():
    """An independent way to embed: a strided convolution of the stacked channels."""
    net, (x_t, t, xi) = make(), question(m=1)
    kernels = [
        layer.weight.view(16, SHAPE[0], 2, 2) for layer in (net.image_patches, net.noise_patches)
    ]
    stacked = torch.cat([x_t, xi[:, 0]], 1)
    h = F.conv2d(stacked, torch.cat(kernels, 1), stride=2).flatten(2).mT + net.positions
    tokens = net.leave(net.norm(h))  # all gates are closed at the start
    image = F.fold(tokens.mT, SHAPE[1:], kernel_size=2, stride=2)
    torch.testing.assert_close(net(x_t, t, xi)[:, 0], image)


@pytest.mark.parametrize("n_shared", [0, 2, 3])
def test_a_population_equals_its_draws_one_by_one(n_shared):
    net, (x_t, t, xi) = make(moved=True, n_shared=n_shared, skip=halves), question()
    together = net(x_t, t, xi)
    for j in range(xi.shape[1]):
        torch.testing.assert_close(together[:, j], net(x_t, t, xi[:, j : j + 1])[:, 0])
    assert (together[:, 0] - together[:, 1]).abs().max() > 1e-2


def test_shared_blocks_run_once_for_all_draws():
    net, (x_t, t, xi) = make(n_shared=2), question(n=3, m=4)
    seen = []
    for block in net.blocks:
        block.register_forward_hook(lambda _m, args, _o: seen.append(args[0].shape[:2]))
    net(x_t, t, xi)
    assert [tuple(s) for s in seen] == [(3, 1), (3, 1), (3, 4)]


def test_most_features_of_the_time_move_over_the_unit_interval():
    with seeded(torch.Generator().manual_seed(0)):
        net = DiT(SHAPE, width=16, depth=1, n_heads=2, n_time_features=64)
    seen = []
    net.time.register_forward_hook(lambda _m, args, _o: seen.append(args[0]))
    t = torch.linspace(0, 1, 101)
    net(torch.zeros(101, *SHAPE), t, torch.zeros(101, 1, *SHAPE))
    assert (seen[0].std(0) > 0.1).float().mean() > 0.7  # of times in [0, 1] it would be 0.2


def test_the_time_changes_draws():
    net, (x_t, t, xi) = make(moved=True), question()
    assert (net(x_t, t, xi) - net(x_t, t + 0.01, xi)).abs().max() > 1e-2


def test_positions_are_told_apart_and_rows_share_half_of_them():
    grid = grid_positions(3, 4, 16).view(3, 4, 16)
    assert torch.pdist(grid.view(12, 16)).min() > 0.1
    torch.testing.assert_close(grid[1, :, :8], grid[1, :1, :8].expand(4, 8))


def test_classes_change_draws_and_dropout_hides_them_in_training_only():
    net = make(moved=True, n_classes=3, class_dropout=1.0)
    x_t, t, xi = question()
    labels = torch.tensor([0, 1, 2])
    net.eval()
    without, given = net(x_t, t, xi), net(x_t, t, xi, labels)
    assert (given - without).abs().max() > 1e-2
    torch.testing.assert_close(net(x_t, t, xi, torch.full((3,), 3)), without)
    net.train()
    with seeded(torch.Generator().manual_seed(0)):
        torch.testing.assert_close(net(x_t, t, xi, labels), without)


def test_a_share_of_the_labels_is_hidden():
    net = make(n_classes=3, class_dropout=0.3).train()
    with seeded(torch.Generator().manual_seed(0)):
        hidden = net._labels(torch.zeros(4000, dtype=torch.long), torch.zeros(4000)) == 3
    assert abs(hidden.float().mean() - 0.3) < 4.5 * (0.3 * 0.7 / 4000) ** 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patch": 4}, "no whole patches of side 4"),
        ({"width": 18}, "multiple of 4"),
        ({"n_heads": 3}, "3 heads"),
        ({"n_shared": 5}, "n_shared=5"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        DiT(SHAPE, **{"width": 16, "depth": 3, "n_heads": 2} | options)
