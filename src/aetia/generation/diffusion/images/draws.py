"""New images from a fitted denoiser."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from aetia.generation.diffusion.images.config import ImageDDDMConfig
from aetia.generation.diffusion.process.guidance import guided
from aetia.generation.diffusion.process.sampler import reverse_chain, time_grid
from aetia.nets import DiT

__all__ = ["draw_images"]


@torch.no_grad()
def draw_images(
    network: DiT,
    config: ImageDDDMConfig,
    n: int,
    labels: Int[Tensor, " n"] | None,
    generator: torch.Generator,
    *,
    n_steps: int | None = None,
    guidance: float = 1.0,
    batch: int = 256,
) -> Float[Tensor, " n c h w"]:
    """Walk from noise to images.

    Args:
        network: A denoiser in evaluation mode.
        config: Options of the sampler.
        n: Images.
        labels: What they should show.
        generator: Source of randomness, on the network's device.
        n_steps: Steps of the sampler; None for the configured number.
        guidance: 1 for none; the conditional and the other draw have the same noise.
        batch: Images that are drawn together.

    Returns:
        Images in units of the network, on the CPU.
    """
    device = generator.device
    schedule = config.score_options().the_schedule()
    times = time_grid(
        int(config.value("n_steps")) if n_steps is None else n_steps, config.time_grid
    )
    out = []
    for start in range(0, n, batch):
        size = min(batch, n - start)
        shape = (size, *config.shape())
        asked = None if labels is None else labels[start : start + size].to(device)

        def denoise(
            x: Tensor, t: float, g: torch.Generator, asked: Tensor | None = asked
        ) -> Tensor:
            xi = torch.empty_like(x)[:, None].normal_(generator=g)
            at = torch.full((len(x),), t, device=x.device)
            given = network(x, at, xi, asked)[:, 0]
            if guidance == 1:
                return given
            return guided(given, network(x, at, xi, None)[:, 0], guidance)

        noise = torch.empty(shape, device=device).normal_(generator=generator)
        chain = reverse_chain(denoise, schedule, noise, times, config.churn, generator)
        out.append(chain.float().cpu())
    return torch.cat(out)
