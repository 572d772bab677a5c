r"""Families of random mechanisms, evaluated for many tasks at once.

A family draws the parameters of all variables of one task (NumPy, from the task's own stream) and
evaluates one variable of a batch of tasks (torch). Variables are in topological order, so the
causes of variable k are among the first k columns. Inputs are those columns, standardised within
the task (requirement M0), which makes length scales and weights free of units. Roots are pure
noise in every family.

Parameters have one leading row for each variable: ``weights[k, i]`` belongs to the edge i -> k.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.errors import InputError
from aetia.options import build, check_literals, check_positive, choose
from aetia.scm.mixture import mixture_weights, pick

__all__ = [
    "MECHANISM_FAMILIES",
    "GaussianProcess",
    "Heteroscedastic",
    "JointGaussianProcess",
    "Linear",
    "LogisticMap",
    "MechanismFamily",
    "MechanismMixture",
    "NeuralNetwork",
    "NoiseScale",
    "Periodic",
    "PostNonlinear",
    "Square",
]

_MOST_ANGLES = 2**18

Parameters = dict[str, np.ndarray]
Drawn = Mapping[str, Tensor]


@runtime_checkable
class MechanismFamily(Protocol):
    """A law over mechanisms; a user's own (hashable) class plugs in."""

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw parameters of every variable of a graph whose order is 0, 1, ..., d - 1.

        ``noise_scale [d]`` must be among them.
        """
        ...

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Compute variable k of b tasks from its candidates' values and its scaled noise."""
        ...


@dataclass(frozen=True, kw_only=True)
class NoiseScale:
    """The law of the standard deviation of a variable's noise, drawn once for each variable.

    Attributes:
        law: ``"constant"`` (low), ``"uniform"`` (low, high), or ``"gamma"`` (shape, rate).
        low: See above.
        high: See above.
        shape: See above.
        rate: See above.
    """

    law: Literal["constant", "uniform", "gamma"] = "gamma"
    low: float = 0.2
    high: float = 2.0
    shape: float = 2.0
    rate: float = 2.0

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(self, "low", "high", "shape", "rate")
        if self.law == "uniform":
            _check_order(self)

    def draw(self, d: int, rng: np.random.Generator) -> np.ndarray:
        """Draw standard deviations.

        Args:
            d: Number of variables.
            rng: Source of randomness.

        Returns:
            One for each variable, float32.
        """
        if self.law == "constant":
            return np.full(d, self.low, np.float32)
        if self.law == "uniform":
            return rng.uniform(self.low, self.high, d).astype(np.float32)
        return np.maximum(rng.gamma(self.shape, 1 / self.rate, d), 1e-3).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Linear:
    """x = w'P + b + s e.

    Attributes:
        weights: ``"normal"``: w ~ N(0, scale^2); ``"uniform"``: abs(w) ~ U(low, high) with a
            random sign.
        scale: See above.
        low: See above.
        high: See above.
        bias: b ~ U(-bias, bias).
        noise_scale: Law of s.
    """

    name: ClassVar[str] = "linear"
    weights: Literal["normal", "uniform"] = "normal"
    scale: float = 1.0
    low: float = 1.0
    high: float = 3.0
    bias: float = 0.0
    noise_scale: Any = NoiseScale()

    def __post_init__(self) -> None:
        check_literals(self)
        check_positive(self, "scale", "low", "high")
        check_positive(self, "bias", zero=True)
        if self.weights == "uniform":
            _check_order(self)
        object.__setattr__(self, "noise_scale", _noise_scale(self.noise_scale))

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw weights, biases and noise scales; see the class.

        Args:
            graph: In topological order.
            rng: Source of randomness.

        Returns:
            Parameters by name.
        """
        shape = graph.shape
        if self.weights == "normal":
            w = self.scale * rng.standard_normal(shape, dtype=np.float32)
        else:
            w = rng.uniform(self.low, self.high, shape) * np.where(rng.random(shape) < 0.5, -1, 1)
        bias = rng.uniform(-self.bias, self.bias, len(graph))
        return {
            "weights": (w * graph).T.astype(np.float32),
            "bias": bias.astype(np.float32),
            "noise_scale": self.noise_scale.draw(len(graph), rng),
        }

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Compute w'P + b + noise.

        Args:
            inputs: Candidates' values.
            causes: Which of them are causes; the other weights are zero.
            noise: Scaled noise.
            drawn: Parameters of this variable.

        Returns:
            Its values.
        """
        return _project(inputs, drawn["weights"]) + drawn["bias"][:, None] + noise


@dataclass(frozen=True, kw_only=True)
class NeuralNetwork:
    """x = net([P, e]) with hidden layers of leaky ReLUs; the noise is an input.

    Weights are N(0, 2 / inputs) (He et al., 2015): with the defaults of torch and unscaled inputs
    the output hardly depends on the causes.

    Attributes:
        hidden: Width of the hidden layers.
        n_layers: Their number.
        noise_input: Whether the noise enters the network; otherwise it is added to its output.
        noise_scale: Law of the noise.
    """

    name: ClassVar[str] = "mlp"
    hidden: int = 32
    n_layers: int = 2
    noise_input: bool = True
    noise_scale: Any = field(default_factory=lambda: NoiseScale(law="constant", low=1.0))

    def __post_init__(self) -> None:
        check_positive(self, "hidden", "n_layers")
        object.__setattr__(self, "noise_scale", _noise_scale(self.noise_scale))

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw all networks; see the class.

        Args:
            graph: In topological order.
            rng: Source of randomness.

        Returns:
            Parameters by name.
        """
        d, h = len(graph), self.hidden
        fan_in = graph.sum(0) + self.noise_input
        gain = np.sqrt(2.0 / np.maximum(fan_in, 1)).astype(np.float32)[:, None, None]
        child, cause = np.nonzero(graph.T)
        first = np.zeros((d, d, h), np.float32)
        first[child, cause] = rng.standard_normal((len(child), h), dtype=np.float32)
        out = {
            "first": first * gain,
            "first_noise": rng.standard_normal((d, h), dtype=np.float32) * gain[:, 0],
            "first_bias": 0.5 * rng.standard_normal((d, h), dtype=np.float32),
            "last": rng.standard_normal((d, h), dtype=np.float32) / math.sqrt(h),
            "noise_scale": self.noise_scale.draw(d, rng),
        }
        for layer in range(1, self.n_layers):
            w = rng.standard_normal((d, h, h), dtype=np.float32) * math.sqrt(2.0 / h)
            out[f"layer{layer}"] = w
            out[f"bias{layer}"] = 0.5 * rng.standard_normal((d, h), dtype=np.float32)
        return out

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Run the networks of b tasks.

        Args:
            inputs: Candidates' values.
            causes: Which of them are causes; the other weights are zero.
            noise: Scaled noise.
            drawn: Parameters of this variable.

        Returns:
            Its values.
        """
        k = inputs.shape[-1]
        z = torch.baddbmm(drawn["first_bias"][:, None], inputs, drawn["first"][:, :k])
        if self.noise_input:
            z = torch.baddbmm(z, noise[:, :, None], drawn["first_noise"][:, None])
        z = F.leaky_relu_(z, 0.01)
        for layer in range(1, self.n_layers):
            z = torch.baddbmm(drawn[f"bias{layer}"][:, None], z, drawn[f"layer{layer}"])
            z = F.leaky_relu_(z, 0.01)
        value = (z @ drawn["last"][:, :, None])[..., 0]
        return value if self.noise_input else value + noise


@dataclass(frozen=True, kw_only=True)
class GaussianProcess:
    r"""A Gaussian process by random Fourier features (Rahimi & Recht, 2007).

    .. math:: f(x) = \sum_q v_q \sqrt{2/m} \sum_b w_{qb} \cos(\omega_{qb}^\top x + \beta_{qb}),

    with :math:`\omega \sim N(0, 1/\ell_q^2)`, :math:`w \sim N(0, 1)`,
    :math:`\beta \sim U(0, 2\pi)`: one draw from a process with squared-exponential kernels.

    Attributes:
        n_features: Features m of each kernel.
        lengthscale: Range of the length scales, in standard deviations of the inputs.
        amplitude: Range of the standard deviations v of the function.
        n_kernels: Number of kernels that are added.
        noise_input: Whether the noise is an input of the function; otherwise it is added.
        bias: b ~ U(-bias, bias) is added.
        noise_scale: Law of the noise.
    """

    name: ClassVar[str] = "gp"
    n_features: int = 100
    lengthscale: Sequence[float] = (0.5, 2.0)
    amplitude: Sequence[float] = (1.0, 1.0)
    n_kernels: int = 1
    noise_input: bool = False
    bias: float = 0.0
    noise_scale: Any = field(default_factory=lambda: NoiseScale(law="uniform", low=0.1, high=0.5))

    def __post_init__(self) -> None:
        check_positive(self, "n_features", "n_kernels")
        check_positive(self, "bias", zero=True)
        object.__setattr__(self, "lengthscale", _range(self, "lengthscale"))
        object.__setattr__(self, "amplitude", _range(self, "amplitude"))
        object.__setattr__(self, "noise_scale", _noise_scale(self.noise_scale))

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw frequencies, phases and amplitudes; see the class.

        Args:
            graph: In topological order.
            rng: Source of randomness.

        Returns:
            Parameters by name.
        """
        d, m = len(graph), self.n_features * self.n_kernels
        lengthscale = rng.uniform(self.lengthscale[0], self.lengthscale[1], (d, self.n_kernels))
        amplitude = rng.uniform(self.amplitude[0], self.amplitude[1], (d, self.n_kernels))
        inverse = np.repeat(1 / lengthscale, self.n_features, axis=1).astype(np.float32)
        child, cause = np.nonzero(graph.T)
        omega = np.zeros((d, d, m), np.float32)
        omega[child, cause] = rng.standard_normal((len(child), m), dtype=np.float32)
        size = np.repeat(amplitude * math.sqrt(2 / self.n_features), self.n_features, axis=1)
        return {
            "omega": omega * inverse[:, None],
            "omega_noise": rng.standard_normal((d, m), dtype=np.float32) * inverse,
            "phase": rng.uniform(0, 2 * math.pi, (d, m)).astype(np.float32),
            "loading": (size * rng.standard_normal((d, m))).astype(np.float32),
            "bias": rng.uniform(-self.bias, self.bias, d).astype(np.float32),
            "noise_scale": self.noise_scale.draw(d, rng),
        }

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Evaluate the functions of b tasks.

        Args:
            inputs: Candidates' values.
            causes: Which of them are causes; the other frequencies are zero.
            noise: Scaled noise.
            drawn: Parameters of this variable.

        Returns:
            Its values.
        """
        k = inputs.shape[-1]
        value = torch.empty_like(noise)
        # A few tasks at a time: the angles of all of them would not stay in memory's fast part.
        floats = inputs.shape[1] * drawn["phase"].shape[1]
        size = max(1, _MOST_ANGLES // floats) if inputs.device.type == "cpu" else len(inputs)
        for start in range(0, len(inputs), size):
            s = slice(start, start + size)
            angle = torch.baddbmm(drawn["phase"][s, None], inputs[s], drawn["omega"][s, :k])
            if self.noise_input:
                angle.baddbmm_(noise[s, :, None], drawn["omega_noise"][s, None])
            value[s] = (angle.cos_() @ drawn["loading"][s, :, None])[..., 0]
        value += drawn["bias"][:, None]
        return value if self.noise_input else value + noise


@dataclass(frozen=True, kw_only=True)
class JointGaussianProcess:
    r"""One joint draw at all rows: x ~ N(e, K + 1e-4 I) + gamma xi (BCNP's "gpcde").

    K is the sum of two kernels :math:`\exp(-r^g)`, r the scaled distance of the standardised
    inputs [P, e]. The function is known only at the rows of the task, so a model of this family
    cannot be sampled again. Cost O(n^3) for each variable.

    Attributes:
        exponent: Range of g.
        noise_rate: gamma ~ Gamma(1, rate), for each row.
        noise_scale: Law of e.
    """

    name: ClassVar[str] = "joint-gp"
    exponent: Sequence[float] = (0.1, 1.0)
    noise_rate: float = 10.0
    noise_scale: Any = field(default_factory=lambda: NoiseScale(law="constant", low=1.0))

    def __post_init__(self) -> None:
        check_positive(self, "noise_rate")
        object.__setattr__(self, "exponent", _range(self, "exponent"))
        object.__setattr__(self, "noise_scale", _noise_scale(self.noise_scale))

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw length scales, exponents and the seeds of the row draws; see the class.

        Args:
            graph: In topological order.
            rng: Source of randomness.

        Returns:
            Parameters by name.
        """
        d = len(graph)
        lengthscale = np.clip(rng.lognormal(-1.0, 1.0, (d, 2, d + 1)), 0.1, 5.0)
        return {
            "inverse_lengthscale": (1 / lengthscale).astype(np.float32),
            "exponent": rng.uniform(self.exponent[0], self.exponent[1], (d, 2)).astype(np.float32),
            "row_seed": rng.integers(2**31, size=d),
            "noise_scale": self.noise_scale.draw(d, rng),
        }

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Draw the values of b tasks jointly over their rows.

        Args:
            inputs: Candidates' values.
            causes: Which of them are causes.
            noise: Scaled noise, an input and the mean.
            drawn: Parameters of this variable.

        Returns:
            Its values.
        """
        b, n, k = inputs.shape
        standard = (noise - noise.mean(1, keepdim=True)) / noise.std(1, keepdim=True)
        points = torch.cat([inputs, standard[..., None]], -1).double()
        used = torch.cat([causes, causes.new_ones(b, 1)], -1)
        kernel = torch.zeros(b, n, n, dtype=torch.float64, device=inputs.device)
        for q in range(2):
            inverse = drawn["inverse_lengthscale"][:, q]
            scale = torch.cat([inverse[:, :k], inverse[:, -1:]], -1) * used
            scaled = points * scale[:, None]
            # Distances by matrix products lose the small ones, and with them definiteness.
            distance = torch.cdist(scaled, scaled, compute_mode="donot_use_mm_for_euclid_dist")
            kernel += distance.pow_(drawn["exponent"][:, q, None, None]).neg_().exp_()
        kernel.diagonal(dim1=-2, dim2=-1).add_(1e-4)
        rows = torch.stack([self._rows(int(seed), n) for seed in drawn["row_seed"]])
        rows = rows.to(inputs.device)
        root, failed = torch.linalg.cholesky_ex(kernel)
        root = torch.where(failed[:, None, None] > 0, torch.nan, root)  # the task is drawn again
        draw = root @ rows[:, 0, :, None].double()
        return noise + draw[..., 0].to(noise.dtype) + rows[:, 1] * rows[:, 2]

    def _rows(self, seed: int, n: int) -> Tensor:
        rng = np.random.default_rng(seed)
        draws = [rng.normal(size=n), rng.gamma(1.0, 1 / self.noise_rate, n), rng.normal(size=n)]
        return torch.from_numpy(np.stack(draws).astype(np.float32))


@dataclass(frozen=True, kw_only=True)
class _Projected(ABC):
    """Mechanisms that see their causes only through u = w'P, w ~ N(0, scale^2)."""

    is_noisy: ClassVar[bool] = True
    scale: float = 1.0
    """Standard deviation of the weights w."""
    noise_scale: Any = field(default_factory=lambda: NoiseScale(law="constant", low=0.1))
    """Law of the additive noise."""

    def __post_init__(self) -> None:
        check_positive(self, "scale")
        object.__setattr__(self, "noise_scale", _noise_scale(self.noise_scale))

    @abstractmethod
    def curve(self, u: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        """Compute the variable without its noise.

        Args:
            u: Projection of the causes.

        Returns:
            Values.
        """

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw weights and noise scales.

        Args:
            graph: In topological order.
            rng: Source of randomness.

        Returns:
            Parameters by name.
        """
        weights = self.scale * rng.standard_normal(graph.shape, dtype=np.float32) * graph
        return {"weights": weights.T, "noise_scale": self.noise_scale.draw(len(graph), rng)}

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Compute curve(w'P) + noise.

        Args:
            inputs: Candidates' values.
            causes: Which of them are causes; the other weights are zero.
            noise: Scaled noise.
            drawn: Parameters of this variable.

        Returns:
            Its values.
        """
        value = self.curve(_project(inputs, drawn["weights"]))
        return value + noise if self.is_noisy else value


@dataclass(frozen=True, kw_only=True)
class Square(_Projected):
    """x = (w'P)^2 + s e."""

    name: ClassVar[str] = "square"

    def curve(self, u: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        """Compute u^2.

        Args:
            u: Projection of the causes.

        Returns:
            Values.
        """
        return u.square()


@dataclass(frozen=True, kw_only=True)
class Periodic(_Projected):
    """x = sin(frequency w'P) + s e."""

    name: ClassVar[str] = "periodic"
    frequency: float = 4 * math.pi
    """Angular frequency."""

    def curve(self, u: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        """Compute sin(frequency u).

        Args:
            u: Projection of the causes.

        Returns:
            Values.
        """
        return (self.frequency * u).sin()


@dataclass(frozen=True, kw_only=True)
class LogisticMap(_Projected):
    """x = 4 q (1 - q), q the logistic function of w'P, without noise except in the roots."""

    name: ClassVar[str] = "logistic-map"
    is_noisy: ClassVar[bool] = False

    def curve(self, u: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        """Compute 4 q (1 - q).

        Args:
            u: Projection of the causes.

        Returns:
            Values.
        """
        q = u.sigmoid()
        return 4 * q * (1 - q)


@dataclass(frozen=True, kw_only=True)
class PostNonlinear:
    """x = link(inner), the inner mechanism with its noise inside.

    Attributes:
        link: ``"cube"``, ``"sigmoid"`` or ``"tanh"``.
        inner: A mechanism family; by default linear.
    """

    name: ClassVar[str] = "post-nonlinear"
    link: Literal["cube", "sigmoid", "tanh"] = "tanh"
    inner: Any = field(default_factory=Linear)

    def __post_init__(self) -> None:
        check_literals(self)
        object.__setattr__(self, "inner", _single("inner", self.inner))

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw the inner mechanism.

        Args:
            graph: In topological order.
            rng: Source of randomness.

        Returns:
            Its parameters.
        """
        return self.inner.draw(graph, rng)

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Compute link(inner).

        Args:
            inputs: Candidates' values.
            causes: Which of them are causes.
            noise: Scaled noise.
            drawn: Parameters of this variable.

        Returns:
            Its values.
        """
        z = self.inner.evaluate(inputs, causes, noise, drawn)
        return z**3 if self.link == "cube" else z.sigmoid() if self.link == "sigmoid" else z.tanh()


@dataclass(frozen=True, kw_only=True)
class Heteroscedastic:
    """The noise of an inner mechanism gets the scale sqrt(log(1 + exp h(P))), h a random process.

    Attributes:
        inner: A mechanism family; by default linear.
        lengthscale: Of h (AVICI: 10 for inputs that are not standardised).
        amplitude: Of h.
        n_features: Random features of h.
    """

    name: ClassVar[str] = "heteroscedastic"
    inner: Any = field(default_factory=Linear)
    lengthscale: float = 1.0
    amplitude: float = 2.0
    n_features: int = 100

    def __post_init__(self) -> None:
        check_positive(self, "lengthscale", "amplitude", "n_features")
        object.__setattr__(self, "inner", _single("inner", self.inner))

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw the inner mechanism and h.

        Args:
            graph: In topological order.
            rng: Source of randomness.

        Returns:
            Parameters by name, those of h with the prefix ``h.``, the others ``inner.``.
        """
        inner = {f"inner.{k}": v for k, v in self.inner.draw(graph, rng).items()}
        inner["noise_scale"] = inner["inner.noise_scale"]
        process = self._process().draw(graph, rng)
        return inner | {f"h.{k}": v for k, v in process.items() if k != "noise_scale"}

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Scale the noise, then compute the inner mechanism.

        Args:
            inputs: Candidates' values.
            causes: Which of them are causes.
            noise: Scaled noise.
            drawn: Parameters of this variable.

        Returns:
            Its values.
        """
        own = {k.removeprefix("h."): v for k, v in drawn.items() if k.startswith("h.")}
        h = self._process().evaluate(inputs, causes, torch.zeros_like(noise), own)
        rest = {k.removeprefix("inner."): v for k, v in drawn.items() if k.startswith("inner.")}
        return self.inner.evaluate(inputs, causes, noise * F.softplus(h).sqrt(), rest)

    def _process(self) -> GaussianProcess:
        return GaussianProcess(
            n_features=self.n_features,
            lengthscale=(self.lengthscale, self.lengthscale),
            amplitude=(self.amplitude, self.amplitude),
        )


@dataclass(frozen=True)
class MechanismMixture:
    """Several families in one: drawn for every task, or for every variable.

    Attributes:
        of: Names, mappings with a name, or families.
        weights: Their probabilities, normalised; equal by default.
        each: ``"task"`` or ``"variable"``.
    """

    of: Sequence[Any] = ()
    weights: Sequence[float] | None = None
    each: Literal["task", "variable"] = "task"
    name: ClassVar[str] = "mixture"

    def __post_init__(self) -> None:
        check_literals(self)
        if self.each == "variable":
            parts = tuple(_single("mechanism", part) for part in self.of)
        else:
            parts = tuple(
                choose("mechanism", part, MECHANISM_FAMILIES, needs="evaluate") for part in self.of
            )
        object.__setattr__(self, "of", parts)
        object.__setattr__(self, "weights", mixture_weights(parts, self.weights))

    def pick(self, rng: np.random.Generator) -> MechanismFamily:
        """Choose the family of a task.

        Args:
            rng: Source of randomness.

        Returns:
            A member, or this object itself if every variable chooses for itself.
        """
        if self.each == "variable":
            return self
        chosen = self.of[pick(self.weights or (), rng)]
        return chosen.pick(rng) if isinstance(chosen, MechanismMixture) else chosen

    def draw(self, graph: Bool[np.ndarray, "d d"], rng: np.random.Generator) -> Parameters:
        """Draw the parameters of all members, and which of them each variable uses.

        Args:
            graph: In topological order.
            rng: Source of randomness.

        Returns:
            Parameters by name, those of member q with the prefix ``q.``.
        """
        which = np.array([pick(self.weights or (), rng) for _ in range(len(graph))])
        drawn = [part.draw(graph, rng) for part in self.of]
        out = {f"{q}.{k}": v for q, one in enumerate(drawn) for k, v in one.items()}
        scales = np.stack([one["noise_scale"] for one in drawn])
        return out | {"which": which, "noise_scale": scales[which, np.arange(len(graph))]}

    def evaluate(
        self,
        inputs: Float[Tensor, "b n k"],
        causes: Bool[Tensor, "b k"],
        noise: Float[Tensor, "b n"],
        drawn: Drawn,
    ) -> Float[Tensor, "b n"]:
        """Evaluate each member for the tasks that use it here.

        Args:
            inputs: Candidates' values.
            causes: Which of them are causes.
            noise: Scaled noise.
            drawn: Parameters of this variable.

        Returns:
            Its values.
        """
        value = torch.empty_like(noise)
        for q, part in enumerate(self.of):
            at = (drawn["which"] == q).nonzero()[:, 0]
            if len(at):
                own = {k[len(f"{q}.") :]: v[at] for k, v in drawn.items() if k.startswith(f"{q}.")}
                value[at] = part.evaluate(inputs[at], causes[at], noise[at], own)
        return value


MECHANISM_FAMILIES: dict[str, type] = {
    cls.name: cls
    for cls in (
        Linear,
        NeuralNetwork,
        GaussianProcess,
        JointGaussianProcess,
        Square,
        Periodic,
        LogisticMap,
        PostNonlinear,
        Heteroscedastic,
        MechanismMixture,
    )
}
"""Name, as in configurations, to family."""


def _check_order(config: Any) -> None:
    if config.low > config.high:
        raise InputError(
            f"{type(config).__name__}: low={config.low:g} is larger than high={config.high:g}."
        )


def _single(option: str, value: Any) -> Any:
    """Build a family that is not a mixture over tasks, which would have no single draw here."""
    family = choose(option, value, MECHANISM_FAMILIES, needs="evaluate")
    if isinstance(family, MechanismMixture) and family.each == "task":
        raise InputError(
            f"{option}: a mixture that is drawn for every task cannot be inside another family; "
            "mix whole families instead, or draw for every variable (each='variable')."
        )
    return family


def _project(inputs: Tensor, weights: Tensor) -> Tensor:
    return (inputs @ weights[:, : inputs.shape[-1], None])[..., 0]


def _noise_scale(value: Any) -> NoiseScale:
    if isinstance(value, NoiseScale):
        return value
    if isinstance(value, Mapping):
        return build(NoiseScale, value)
    raise InputError(f"noise_scale must be a NoiseScale or a mapping of its options, got {value!r}")


def _range(config: Any, name: str) -> tuple[float, float]:
    value = getattr(config, name)
    try:
        low, high = (float(v) for v in value)
    except (TypeError, ValueError):
        low, high = math.nan, math.nan
    if not 0 < low <= high < math.inf:
        raise InputError(
            f"{type(config).__name__}: {name} must be a range (low, high) above 0, got {value!r}."
        )
    return low, high
