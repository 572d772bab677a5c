"""All networks of CausalBGM, an ensemble of them at once."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor, nn

from aetia.effects.causalbgm.config import CausalBGMConfig
from aetia.effects.causalbgm.generative import LatentRoles, Mechanisms, Units
from aetia.effects.causalbgm.hinges import quantile_knots
from aetia.nets import Dense, Discriminator, Layers, Perceptron, VariationalPerceptron, perceptron

__all__ = ["Networks", "relevance_penalty"]


class Networks(nn.Module):
    """Encoders, mechanisms and critic; members are the leading dimension of all weights.

    The latents with a causal role are encoded apart from the rest: what is needed to tell all
    covariates from their latents must not crowd out what treatment and outcome depend on.

    Args:
        units: The study, which sets knots and widths.
        roles: Roles of the latents.
        config: Options, of which widths and kinds of networks are read.
        n_members: Size of the ensemble.
        is_binary: Whether the treatment is binary.
    """

    knots: Tensor
    hinge_centre: Tensor
    hinge_scale: Tensor
    dose_knots: Tensor
    with_mask: Tensor

    def __init__(
        self,
        units: Units,
        roles: LatentRoles,
        config: CausalBGMConfig,
        n_members: int,
        is_binary: bool,
    ) -> None:
        super().__init__()
        assert units.treatment is not None
        self.roles, self.is_binary, self.n_members = roles, is_binary, n_members
        v = units.covariates
        p = v.shape[1]
        knots = quantile_knots(v, config.n_knots)
        hinges = F.relu(v[:, None] - knots)
        spread = (hinges - hinges.mean(0)).square().mean(0).sqrt()
        self.register_buffer("knots", knots)
        self.register_buffer("hinge_centre", hinges.mean(0))
        self.register_buffer("hinge_scale", spread.clamp(min=0.05))
        n_doses = 0 if is_binary else config.n_dose_knots
        self.register_buffer("dose_knots", quantile_knots(units.treatment, n_doses))
        missing = torch.zeros(p, dtype=torch.bool)
        if units.observed is not None:
            missing = ~units.observed.all(0)
        self.register_buffer("with_mask", missing)
        self.has_masks = bool(missing.any())
        self.n_features = p * (1 + config.n_knots)
        width = self.n_features + int(missing.sum())
        self.n_causal = causal = roles.confounder + roles.outcome + roles.treatment
        self.encoder = Perceptron([width, *config.encoder_units, causal], n_members)
        self.rest_encoder = (
            Perceptron([p, *config.rest_encoder_units, roles.rest], n_members)
            if roles.rest
            else None
        )
        sizes = {
            "covariates": [roles.total, *config.covariate_units, p + 1],
            "treatment": [roles.confounder + roles.treatment, *config.treatment_units, 2],
            "outcome": [
                roles.confounder + roles.outcome + 1 + n_doses,
                *config.outcome_units,
                2,
            ],
        }
        self.sizes = sizes
        make = (
            (lambda s: VariationalPerceptron(s, n_members=n_members))
            if config.bayesian_nets
            else (lambda s: Perceptron(s, n_members))
        )
        self.covariates = make(sizes["covariates"])
        self.treatment = make(sizes["treatment"])
        self.outcome = make(sizes["outcome"])
        self.critic = Discriminator(roles.total, config.critic_units, n_members)

    @property
    def is_bayesian(self) -> bool:
        """Whether the weights of the mechanisms are random."""
        return isinstance(self.outcome, VariationalPerceptron)

    def features(
        self, covariates: Float[Tensor, "*rows p"], observed: Bool[Tensor, "*rows p"] | None
    ) -> Float[Tensor, "*rows features"]:
        """Compute the inputs of the encoder.

        Args:
            covariates: Scaled, zero where not observed.
            observed: True where seen; None for everywhere.

        Returns:
            Hinge features, and masks of the columns that had missing values at the fit.
        """
        gain, offset, low = self._ramps()
        features = torch.addcmul(offset, covariates[..., None, :], gain)
        features = torch.maximum(features, low).clamp(max=10.0)
        if observed is not None:
            features = features * observed[..., None, :]
        parts = [features.flatten(-2)]
        if self.has_masks:
            mask = torch.ones_like(covariates) if observed is None else observed.to(covariates)
            parts.append(1 - mask[..., self.with_mask])
        return torch.cat(parts, -1)

    def _ramps(self) -> tuple[Tensor, Tensor, Tensor]:
        """Write every feature as ``max(offset + gain * x, low)``; the first is x itself.

        A standardised hinge in two operations over all units instead of six.
        """
        gain = F.pad(1 / self.hinge_scale, (0, 0, 1, 0), value=1.0)
        centre = self.hinge_centre / self.hinge_scale
        offset = F.pad(-(self.knots / self.hinge_scale) - centre, (0, 0, 1, 0))
        low = F.pad((-centre).clamp(min=-10.0), (0, 0, 1, 0), value=-10.0)
        return gain, offset, low

    def encode(
        self,
        covariates: Float[Tensor, "*rows p"],
        observed: Bool[Tensor, "*rows p"] | None = None,
    ) -> Float[Tensor, "*members n latents"]:
        """Encode units.

        Args:
            covariates: Scaled, zero where not observed; ``[n, p]``, or with members in front.
            observed: True where seen.

        Returns:
            Latents of every member.
        """
        return self.encode_features(self.features(covariates, observed), covariates)

    def encode_features(
        self,
        features: Float[Tensor, "*batch features"],
        covariates: Float[Tensor, "*rows p"],
    ) -> Float[Tensor, "*members n latents"]:
        """Encode units whose features are known.

        Args:
            features: Inputs of the encoder, from :meth:`features`.
            covariates: Scaled, zero where not observed.

        Returns:
            Latents of every member.
        """
        causal = self.encoder(features)
        if self.rest_encoder is None:
            return causal
        return torch.cat([causal, self.rest_encoder(covariates)], -1)

    def mechanisms(self) -> Mechanisms:
        """Take the weights, or their means.

        Returns:
            The three networks; members in front.
        """
        return Mechanisms(
            self.covariates.layers, self.treatment.layers, self.outcome.layers, self.dose_knots
        )

    def draw_mechanisms(self, n_draws: int, generator: torch.Generator) -> Mechanisms:
        """Draw weights from their distribution, or repeat them where they are fixed.

        Args:
            n_draws: How many.
            generator: Source of randomness.

        Returns:
            The three networks ``[draws, members, ...]``.
        """
        nets = (self.covariates, self.treatment, self.outcome)
        covariates, treatment, outcome = (_draws(net, n_draws, generator) for net in nets)
        return Mechanisms(covariates, treatment, outcome, self.dose_knots)

    def apply_noisy(
        self, name: str, x: Float[Tensor, "members n inputs"], generator: torch.Generator
    ) -> Float[Tensor, "members n outputs"]:
        """Apply a mechanism as training sees it.

        Args:
            name: ``"covariates"``, ``"treatment"`` or ``"outcome"``.
            x: Its inputs.
            generator: Source of randomness of the weights of Bayesian networks.

        Returns:
            Raw outputs.
        """
        net = getattr(self, name)
        if isinstance(net, VariationalPerceptron):
            return net(x, generator)
        return perceptron(net.layers, x)

    def kl(self) -> Float[Tensor, " members"]:
        """Compute the divergence of the mechanisms' weights from their prior.

        Returns:
            One number for each member; zero for plain networks.
        """
        nets = (self.covariates, self.treatment, self.outcome)
        if not self.is_bayesian:
            return torch.zeros(self.n_members, device=self.knots.device)
        return torch.stack([n.kl() for n in nets if isinstance(n, VariationalPerceptron)]).sum(0)


def _draws(
    net: Perceptron | VariationalPerceptron, n_draws: int, generator: torch.Generator
) -> Layers:
    if isinstance(net, VariationalPerceptron):
        return net.draw(n_draws, generator)
    return [Dense(w.expand(n_draws, *w.shape), b.expand(n_draws, *b.shape)) for w, b in net.layers]


def relevance_penalty(networks: Networks) -> Float[Tensor, " members"]:
    r"""Penalise covariates that the encoder of the causal latents uses (MacKay, 1994; Neal, 1996).

    All weights of a covariate share a normal prior; its variance at its maximum of the likelihood
    leaves :math:`\frac{k}{2} \log \overline{w^2}` for k weights, which drives covariates
    that explain nothing to zero.

    Args:
        networks: The ensemble.

    Returns:
        The penalty of each member.
    """
    weight = networks.encoder.weights[0]
    p = networks.knots.shape[1]
    groups = weight[:, : networks.n_features].unflatten(1, (-1, p))
    mean_square = groups.square().mean((1, -1))
    if networks.has_masks:
        count = groups.shape[1] * groups.shape[-1]
        mask = weight[:, networks.n_features :].square().mean(-1) * weight.shape[-1]
        mean_square = mean_square.index_add(1, networks.with_mask.nonzero()[:, 0], mask / count)
    size = groups.shape[1] * groups.shape[-1]
    return 0.5 * size * (mean_square + 1e-6).log().sum(-1)
