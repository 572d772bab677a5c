"""The diffusion process: schedules, distances and scores, the bridge, the sampler, guidance."""
