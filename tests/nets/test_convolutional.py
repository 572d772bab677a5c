"""Image networks: sizes, and images on their own."""

import pytest
import torch

from aetia.nets import ImageDiscriminator, ImageEncoder, ImageGenerator, seeded


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


def made(cls, *args, **kwargs):
    with seeded(gen()):
        return cls(*args, **kwargs).eval()


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 8, 8), (3, 9, 14), (1, 5, 7)])
def test_any_size_goes_through_and_comes_back(shape):
    generator, encoder = made(ImageGenerator, 6, shape, 4), made(ImageEncoder, 6, shape, 4)
    critic = made(ImageDiscriminator, shape, 4)
    z = torch.randn(3, 6, generator=gen())
    mean, variance = generator(z)
    assert mean.shape == variance.shape == (3, *shape)
    assert (variance > 0).all()
    assert encoder(mean.sigmoid()).shape == (3, 6)
    assert critic(mean.sigmoid()).shape == (3,)


def test_images_do_not_influence_each_other():
    """No batch statistics anywhere, in training mode either."""
    shape = (1, 8, 8)
    generator, encoder = made(ImageGenerator, 6, shape, 4), made(ImageEncoder, 6, shape, 4)
    generator.train(), encoder.train()
    z = torch.randn(4, 6, generator=gen())
    torch.testing.assert_close(generator(z)[0][:2], generator(z[:2])[0])
    x = torch.rand(4, *shape, generator=gen())
    torch.testing.assert_close(encoder(x)[:2], encoder(x[:2]))


def test_the_sizes_of_the_original_are_kept_at_28_by_28():
    generator = made(ImageGenerator, 10, (1, 28, 28))
    assert generator.small == (128, 7, 7)
    count = sum(p.numel() for p in generator.parameters())
    assert count == 11 * 128 * 49 + 9 * (128 * 64 + 64 * 32 + 32 * 32) + 2 * 33
