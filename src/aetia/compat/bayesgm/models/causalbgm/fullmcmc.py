"""The variant that also samples the networks' weights, given the fitted latents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from aetia.compat.bayesgm.arguments import check_count, read_triplet
from aetia.compat.bayesgm.models.causalbgm.base import CausalBGM, check_eps
from aetia.compat.bayesgm.models.causalbgm.plug_in import scaled_units
from aetia.compat.bayesgm.models.causalbgm.weight_chain import weight_draws
from aetia.effects.causalbgm.surface import Fitted, Mechanisms, Units
from aetia.errors import InputError
from aetia.nets import unflatten_layers
from aetia.randomness import torch_generator
from aetia.samplers import LogDensity

__all__ = ["FullMCMCCausalBGM"]

_NETWORKS = ("covariates", "treatment", "outcome")
_CHAINS, _TRIPLES, _OUTCOMES = 200, 201, 202


class FullMCMCCausalBGM(CausalBGM):
    """CausalBGM whose weights are drawn by Hamiltonian Monte Carlo after the fit.

    As in the original, weights are drawn given the fitted latents; both in turns is
    ``aetia.effects.causalbgm.FullMCMCCausalBGM``. Networks have plain weights in the fit, whatever
    ``use_bnn`` says; the original needs True.

    Args:
        params: The same keys as those of :class:`CausalBGM`.
        timestamp: Name of the run; None for the local time.
        random_seed: Seed of this object alone; no global generator is touched. None is fresh
            entropy.

    Attributes:
        g_net_samples: Weights of the network of the covariates, one row for each draw.
        h_net_samples: Weights of the network of the treatment, one row for each draw.
        f_net_samples: Weights of the network of the outcome, one row for each draw.
    """

    _name = "FullMCMCCausalBGM"
    burn_in = 5000
    """Steps before the first draw; the original's ``predict`` has no argument for them."""

    def run_mcmc_training(
        self, data: Any, num_samples: int = 2000, num_burnin: int = 1000, eps: float = 1e-6
    ) -> None:
        """Draw weights of the three networks given the fitted latents.

        Args:
            data: The study of the fit.
            num_samples: Draws.
            num_burnin: Steps before them, which adapt the step size.
            eps: Smallest variance; 1e-6, as in training.
        """
        fit = self._fitted("run_mcmc_training")
        if not hasattr(self, "data_z"):
            raise InputError("run_mcmc_training needs latents of the units; call fit(data) first.")
        study = read_triplet(data, self.params["v_dim"])
        if len(study.x) != len(self.data_z):
            raise InputError(
                f"run_mcmc_training takes the study of the fit: {len(self.data_z)} units, got "
                f"{len(study.x)}."
            )
        check_count("num_samples", num_samples)
        check_count("num_burnin", num_burnin, least=0)
        check_eps(eps)
        units, networks = scaled_units(fit, study), fit.networks
        z = torch.from_numpy(self.data_z).to(networks.knots.device)[None]
        letters = {"covariates": "v", "treatment": "x", "outcome": "y"}
        drawn = {
            name: weight_draws(
                name,
                networks,
                units,
                z,
                torch_generator(self._seeds(_CHAINS, k), networks.knots.device),
                num_samples=num_samples,
                num_burnin=num_burnin,
                has_fixed_noise=f"sigma_{letter}" in self.params,
            )
            for k, (name, letter) in enumerate(letters.items())
        }
        self.g_net_samples = drawn["covariates"]
        self.h_net_samples = drawn["treatment"]
        self.f_net_samples = drawn["outcome"]

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        data: Any,
        alpha: float = 0.01,
        n_mcmc: int = 3000,
        x_values: Any = None,
        q_sd: float | None = 1.0,
        sample_y: bool = True,
        bs: int = 100,
    ) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "k 2"]]:
        """Estimate effects with intervals; every step of the latents has weights of its own.

        Args:
            data: ``(data_x, data_y, data_v)``.
            alpha: Significance level of the intervals.
            n_mcmc: Draws of the latents.
            x_values: Values of a continuous treatment.
            q_sd: Standard deviation of proposals; None or negative adapts it.
            sample_y: Whether outcomes carry their noise.
            bs: Draws at once.

        Returns:
            As :meth:`CausalBGM.predict`.
        """
        self._fitted("predict")
        self._samples("predict")
        return self._predict(
            data,
            alpha,
            x_values,
            n_mcmc=n_mcmc,
            burn_in=self.burn_in,
            q_sd=q_sd,
            sample_y=sample_y,
            units_at_once=10**9,
            draws_at_once=bs,
        )

    def _is_bayesian(self) -> bool:
        return False

    def _forget(self) -> None:
        super()._forget()
        for name in ("g_net_samples", "h_net_samples", "f_net_samples"):
            vars(self).pop(name, None)

    def _samples(self, asked: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if not hasattr(self, "f_net_samples"):
            raise InputError(f"{asked} needs draws of the weights; call run_mcmc_training(data).")
        return self.g_net_samples, self.h_net_samples, self.f_net_samples

    def _weights(self, fit: Fitted) -> Callable[[int], Mechanisms]:
        _, _, outcome = self._samples("infer_from_latent_posterior")
        generator = torch_generator(self._seeds(_OUTCOMES))
        fixed, device = fit.networks.mechanisms(), fit.networks.knots.device
        flat = torch.from_numpy(outcome)

        def weights(n: int) -> Mechanisms:
            rows = torch.randint(len(flat), (n,), generator=generator)
            some = flat[rows][:, None].to(device)
            return fixed._replace(outcome=unflatten_layers(some, fit.networks.sizes["outcome"]))

        return weights

    def _next_density(self, fit: Fitted, units: Units) -> Callable[[], LogDensity] | None:
        samples = [torch.from_numpy(s) for s in self._samples("metropolis_hastings_sampler")]
        generator = torch_generator(self._seeds(_TRIPLES))
        sizes, device = fit.networks.sizes, fit.networks.knots.device

        def density() -> LogDensity:
            k = int(torch.randint(len(samples[0]), (), generator=generator))
            covariates, treatment, outcome = (
                unflatten_layers(flat[k : k + 1].to(device), sizes[name])
                for flat, name in zip(samples, _NETWORKS, strict=True)
            )
            mechanisms = Mechanisms(covariates, treatment, outcome, fit.networks.dose_knots)
            return self._density(fit, units, mechanisms)

        return density
