"""Small studies, quick options, and mechanisms whose distributions can be written out."""

from __future__ import annotations

import numpy as np
import torch

from aetia.effects.causalbgm.config import CausalBGMConfig
from aetia.effects.causalbgm.generative import LatentRoles, Mechanisms, Units
from aetia.effects.causalbgm.networks import Networks
from aetia.nets import Dense, seeded

NARROW = {
    "encoder_units": (8,),
    "rest_encoder_units": (8,),
    "covariate_units": (8,),
    "treatment_units": (8,),
    "outcome_units": (8,),
    "critic_units": (8,),
    "latent_dims": (1, 1, 1, 1),
}
QUICK = NARROW | {
    "n_egm_steps": 40,
    "n_folds": 3,
    "n_replicates": 1,
    "n_draws": 200,
    "n_warmup": 30,
    "n_kept": 20,
    "random_state": 0,
    "progress": False,
}
ROLES = LatentRoles(confounder=2, outcome=1, treatment=1, rest=1)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def arms_study(n: int = 160, seed: int = 0, p: int = 4):
    """A trial with overlap: v1 confounds, the effect is 1 + v2."""
    rng = np.random.default_rng(seed)
    v = rng.normal(size=(n, p))
    t = (rng.uniform(size=n) < 1 / (1 + np.exp(-v[:, 0]))).astype(float)
    y = v[:, 0] + t * (1 + v[:, 1]) + rng.normal(size=n) * 0.5
    return t, y, v


def doses_study(n: int = 160, seed: int = 0, p: int = 4):
    """Doses that depend on v1, which the outcome depends on as well."""
    rng = np.random.default_rng(seed)
    v = rng.normal(size=(n, p))
    t = v[:, 0] + rng.normal(size=n)
    y = np.sin(t) + v[:, 0] + rng.normal(size=n) * 0.5
    return t, y, v


def make_networks(
    units: Units,
    *,
    is_binary: bool = False,
    members: int = 2,
    roles: LatentRoles = ROLES,
    seed: int = 0,
    **options,
) -> Networks:
    config = CausalBGMConfig(**(NARROW | {"latent_dims": tuple(roles)} | options))
    with seeded(generator(seed)):
        return Networks(units, roles, config, members, is_binary).double()


def random_units(n: int = 30, p: int = 3, seed: int = 0, *, is_binary: bool = False) -> Units:
    g = generator(seed)
    v = torch.randn(n, p, generator=g, dtype=torch.float64)
    t = torch.randn(n, generator=g, dtype=torch.float64)
    y = torch.randn(n, generator=g, dtype=torch.float64)
    return Units(v, None, (t > 0).double() if is_binary else t, y)


def raw_variance(std: float) -> float:
    """What the last output of a network must be for this standard deviation."""
    return float(np.log(np.expm1(std**2 - 1e-6)))


def linear(weight: np.ndarray, bias: np.ndarray, std: float) -> list[Dense]:
    """A network without hidden layers: a linear mean and a constant variance."""
    weight = np.column_stack([weight, np.zeros(len(weight))])
    bias = np.append(bias, raw_variance(std))
    return [Dense(torch.tensor(weight), torch.tensor(bias))]


class LinearGaussian:
    """z ~ N(0, I), everything else linear in z: the posterior of z has a closed form."""

    def __init__(self, p: int = 3, seed: int = 0):
        rng = np.random.default_rng(seed)
        r = ROLES
        self.a, self.a0 = rng.normal(size=(r.total, p)) * 0.6, rng.normal(size=p)
        self.b, self.b0 = rng.normal(size=r.confounder + r.treatment), rng.normal(size=1)
        self.c, self.c0 = rng.normal(size=r.confounder + r.outcome), rng.normal(size=1)
        self.dose, self.stds = 0.8, (0.9, 0.7, 0.5)
        self.mechanisms = Mechanisms(
            linear(self.a, self.a0, self.stds[0]),
            linear(self.b[:, None], self.b0, self.stds[1]),
            linear(np.append(self.c, self.dose)[:, None], self.c0, self.stds[2]),
            torch.zeros(0, dtype=torch.float64),
        )

    def units(self, n: int, seed: int = 1) -> tuple[Units, np.ndarray]:
        rng = np.random.default_rng(seed)
        z = rng.normal(size=(n, ROLES.total))
        sv, st, sy = self.stds
        v = z @ self.a + self.a0 + sv * rng.normal(size=(n, self.a.shape[1]))
        t = z[:, [0, 1, 3]] @ self.b + self.b0 + st * rng.normal(size=n)
        y = z[:, :3] @ self.c + self.dose * t + self.c0 + sy * rng.normal(size=n)
        return Units(*map(torch.tensor, (v, np.ones(v.shape, dtype=bool), t, y))), z

    def posterior(self, units: Units) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance of the latents of every unit given what is known of it."""
        n, d = len(units.covariates), ROLES.total
        load_t, load_y = np.zeros(d), np.zeros(d)
        load_t[[0, 1, 3]], load_y[[0, 1, 2]] = self.b, self.c
        means, covariances = np.zeros((n, d)), np.zeros((n, d, d))
        seen = np.ones(units.covariates.shape, dtype=bool)
        if units.observed is not None:
            seen = units.observed.numpy()
        for i in range(n):
            o = seen[i]
            rows = [self.a[:, o].T / self.stds[0]]
            rest = [(units.covariates[i].numpy() - self.a0)[o] / self.stds[0]]
            if units.treatment is not None:
                t = float(units.treatment[i])
                rows.append(load_t[None] / self.stds[1])
                rest.append((t - self.b0) / self.stds[1])
            if units.outcome is not None:
                y = float(units.outcome[i])
                rows.append(load_y[None] / self.stds[2])
                rest.append((y - self.dose * t - self.c0) / self.stds[2])
            h, r = np.vstack(rows), np.concatenate(rest)
            covariances[i] = np.linalg.inv(np.eye(d) + h.T @ h)
            means[i] = covariances[i] @ h.T @ r
        return means, covariances
