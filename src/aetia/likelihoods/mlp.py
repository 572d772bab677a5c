r"""The nonlinear Gaussian likelihood: one multilayer perceptron for each variable.

.. math:: x_j \mid x \sim \mathcal N\big(\mathrm{MLP}_j(g_{\cdot j} \circ x),\ v_j\big),

all weights and biases standard normal times ``parameter_scale`` a priori, the input weights
counted only where the edge exists (Lorch et al., 2021, section 6). In the paper every variable has
one and the same fixed noise variance; then a column in smaller units fits the model as a root and
one in larger units as an effect, whatever the data say. Here the variances are learned by default,
each inverse gamma a priori.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from aetia.errors import InputError
from aetia.likelihoods.protocol import (
    GraphGradients,
    ParameterGradients,
    Parameters,
    Weigh,
)
from aetia.options import check_literals, check_positive

__all__ = ["MLP", "MLPJoint"]


def _graphs_last(graphs: Tensor) -> Tensor:
    """Lay graphs out as ``[s, j, i, 1, m]``, contiguous."""
    return graphs.permute(0, 3, 2, 1).contiguous().unsqueeze(3)


class _Activation(NamedTuple):
    """A nonlinearity whose slope can be had from its value; ``_`` works in place."""

    value: Callable[[Tensor], Tensor]
    value_: Callable[[Tensor], Tensor]
    slope_: Callable[[Tensor], Tensor]


_ACTIVATIONS = {
    "relu": _Activation(torch.relu, torch.relu_, torch.Tensor.sign_),
    "tanh": _Activation(torch.tanh, torch.tanh_, lambda y: y.square_().neg_().add_(1.0)),
    "sigmoid": _Activation(torch.sigmoid, torch.sigmoid_, lambda y: y.addcmul_(y, y, value=-1.0)),
}


@dataclass(frozen=True, kw_only=True)
class MLP:
    """Options of the nonlinear Gaussian model.

    Attributes:
        hidden: Widths of the hidden layers.
        activation: Nonlinearity between layers.
        noise_variance: ``"learned"``: one unknown variance for each variable, inverse gamma a
            priori; or the variance of the noise of every variable, in squared data units. With
            one fixed variance the units of the columns decide directions.
        noise_shape: Shape of the inverse gamma prior of learned variances; half the number of
            rows that the prior is worth.
        noise_rate: Its rate, in squared data units; ``noise_rate / (noise_shape - 1)`` is the
            mean of the prior.
        parameter_scale: Standard deviation of all weights and biases a priori.
    """

    hidden: Sequence[int] = (5,)
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    noise_variance: float | Literal["learned"] = "learned"
    noise_shape: float = 2.0
    noise_rate: float = 1.0
    parameter_scale: float = 1.0
    name = "mlp"

    def __post_init__(self) -> None:
        check_literals(self)
        if isinstance(self.noise_variance, str) and self.noise_variance != "learned":
            raise InputError(
                f"MLP: noise_variance must be a number or 'learned', got {self.noise_variance!r}."
            )
        if self.noise_variance != "learned":
            check_positive(self, "noise_variance")
        check_positive(self, "noise_shape", "noise_rate", "parameter_scale")
        widths = tuple(self.hidden)
        if not widths or not all(isinstance(h, int) and h > 0 for h in widths):
            raise InputError(f"MLP: hidden must list layer widths above 0, got {self.hidden!r}.")
        object.__setattr__(self, "hidden", widths)

    @property
    def scaling(self) -> Literal["standardise", "centre"]:
        """What ``scaling="auto"`` means: a fixed noise variance is in the units of the data."""
        return "standardise" if self.noise_variance == "learned" else "centre"

    def on(
        self,
        x: Float[Tensor, "n d"],
        intervened: Bool[Tensor, "n d"] | None = None,
        *,
        likelihood_scale: float = 1.0,
    ) -> MLPJoint:
        """Bind the likelihood to a table.

        Args:
            x: The data, centred; its dtype is that of the computation.
            intervened: True where a variable was set by intervention.
            likelihood_scale: Multiplies the log-likelihood, not the prior; for minibatches.

        Returns:
            Scores and gradients of graphs with networks.
        """
        return MLPJoint(self, x, intervened, likelihood_scale)


class MLPJoint:
    """Log joint density of the networks' parameters and data given graphs."""

    def __init__(
        self, options: MLP, x: Tensor, intervened: Tensor | None, likelihood_scale: float
    ) -> None:
        self.options = options
        self.x = x
        self.inputs = torch.cat([x, x.new_ones(len(x), 1)], dim=1)  # the bias is a column
        self.targets = x.mT.contiguous().unsqueeze(-1)  # [j, n, 1]
        counted = torch.ones_like(x) if intervened is None else (~intervened).to(x.dtype)
        self.counted = None if intervened is None else counted
        self.n = counted.sum(0)
        self.likelihood_scale = likelihood_scale
        n_layers = len(options.hidden) + 1
        self.learned = options.noise_variance == "learned"
        self.network = tuple(f"{kind}{k + 1}" for k in range(n_layers) for kind in ("W", "b"))
        self.parameters = (*self.network, "log_noise") if self.learned else self.network
        self.floats_per_graph = 3 * x.shape[0] * x.shape[1] * max(options.hidden)

    def sample_parameters(self, n: int, generator: torch.Generator) -> Parameters:
        """Draw all weights and biases from their prior; noise starts at the variance of the data.

        Args:
            n: Number of particles.
            generator: Source of randomness.

        Returns:
            ``W1 [n, d, d, h]`` (target, input, unit), ``b1 [n, d, h]``, and so on; with learned
            noise ``log_noise [n, d]``.
        """
        d = self.x.shape[1]
        sizes = [d, *self.options.hidden, 1]
        out: Parameters = {}
        for k in range(len(sizes) - 1):
            shapes = {
                f"W{k + 1}": (n, d, sizes[k], sizes[k + 1]),
                f"b{k + 1}": (n, d, sizes[k + 1]),
            }
            for name, shape in shapes.items():
                draw = torch.randn(
                    shape, dtype=self.x.dtype, device=self.x.device, generator=generator
                )
                out[name] = self.options.parameter_scale * draw
        if self.learned:
            counted = torch.ones_like(self.x) if self.counted is None else self.counted
            variance = (counted * self.x.square()).sum(0) / self.n.clamp_min(1.0)
            out["log_noise"] = variance.clamp_min(1e-12).log().expand(n, d).clone()
        return out

    def node_scores(
        self, graphs: Float[Tensor, "s m d d"], parameters: Parameters
    ) -> Float[Tensor, "s m d"]:
        """Compute log p(parameters_j, data_j | graph) for each variable.

        Args:
            graphs: M hard (as floats) or soft graphs for each of S particles.
            parameters: One set for each particle.

        Returns:
            One term for each variable.
        """
        likelihood = self.node_log_likelihoods(graphs, parameters)
        return likelihood + self._log_prior(graphs, parameters)

    def node_log_likelihoods(
        self, graphs: Float[Tensor, "s m d d"], parameters: Parameters
    ) -> Float[Tensor, "s m d"]:
        """Compute log p(data_j | graph, parameters) for each variable.

        Args:
            graphs: Graphs, as for :meth:`node_scores`.
            parameters: One set for each particle.

        Returns:
            One term for each variable.
        """
        squares = self._squares(self._forward(graphs, parameters)[-1])
        return self._log_likelihood(squares, parameters)

    def graph_gradients(
        self, graphs: Float[Tensor, "s m d d"], parameters: Parameters, weigh: Weigh
    ) -> GraphGradients:
        """Compute scores and their weighted gradients in the graphs.

        Args:
            graphs: Graphs, as for :meth:`node_scores`.
            parameters: One set for each particle.
            weigh: Turns scores into weights.

        Returns:
            Scores and weighted gradients.
        """
        layers = self._forward(graphs, parameters)
        likelihood = self._log_likelihood(self._squares(layers[-1]), parameters)
        scores = likelihood + self._log_prior(graphs, parameters)
        weight = weigh(scores)
        by_masked, _ = self._backward(layers, parameters, weight, all_of_them=False)
        slope = (by_masked * parameters["W1"].unsqueeze(4)).sum(3)  # [s, j, i, m]
        slope = slope.permute(0, 3, 2, 1) + self._edge_log_prior(parameters) * weight.unsqueeze(-2)
        return GraphGradients(scores, slope)

    def parameter_gradients(
        self, graphs: Float[Tensor, "s m d d"], parameters: Parameters, weigh: Weigh
    ) -> ParameterGradients:
        """Compute scores and their weighted gradients in the parameters.

        Args:
            graphs: Graphs, as for :meth:`node_scores`.
            parameters: One set for each particle.
            weigh: Turns scores into weights.

        Returns:
            Scores and gradients summed over the weighted graphs.
        """
        layers = self._forward(graphs, parameters)
        squares = self._squares(layers[-1])
        prior = self._log_prior(graphs, parameters)
        scores = self._log_likelihood(squares, parameters) + prior
        weight = weigh(scores)
        by_masked, gradients = self._backward(layers, parameters, weight, all_of_them=True)
        gradients["W1"] = (by_masked * _graphs_last(graphs)).sum(4)
        counted = (graphs * weight.unsqueeze(-2)).sum(1).mT.unsqueeze(-1)  # [s, j, i, 1]
        precision = 1.0 / self.options.parameter_scale**2
        for name in self.network:
            share = counted if name == "W1" else 1.0
            gradients[name] = gradients[name] - precision * share * parameters[name]
        if self.learned:
            variance = parameters["log_noise"].exp().unsqueeze(1)
            fit = 0.5 * self.likelihood_scale * (squares / variance - self.n)
            own = self.options.noise_rate / variance - self.options.noise_shape
            gradients["log_noise"] = (weight * (fit + own)).sum(1)
        return ParameterGradients(scores, {k: gradients[k] for k in parameters})

    def means(
        self, graphs: Float[Tensor, "s m d d"], parameters: Parameters
    ) -> Float[Tensor, "s m n d"]:
        """Compute every network's prediction for every row.

        Args:
            graphs: Graphs, as for :meth:`node_scores`.
            parameters: One set for each particle.

        Returns:
            Conditional means of the variables.
        """
        return self._forward(graphs, parameters)[-1].permute(0, 3, 2, 1)

    def _forward(self, graphs: Tensor, parameters: Parameters) -> list[Tensor]:
        """Run all networks, one matrix product for each particle and target.

        Returns the activations of every hidden layer ``[s, j, n, h, m]`` and the outputs
        ``[s, j, n, m]``: with the graphs last, everything after the first product runs over
        long rows. The arrays are large, so the activation works in place unless autograd
        watches, and :meth:`_backward` uses them up.
        """
        s, m, d, _ = graphs.shape
        n_hidden = len(self.options.hidden)
        activation = _ACTIVATIONS[self.options.activation]
        watched = graphs.requires_grad or any(p.requires_grad for p in parameters.values())
        edges = _graphs_last(graphs)
        masked = (edges * parameters["W1"].unsqueeze(4)).flatten(3)
        bias = parameters["b1"].unsqueeze(3).expand(s, d, -1, m).reshape(s, d, 1, -1)
        weights = torch.cat([masked, bias], dim=2).flatten(0, 1)
        # bmm: matmul would transpose and copy its large result.
        units = torch.bmm(self.inputs.expand(s * d, -1, -1), weights)  # [s * j, n, h * m]
        units = units.view(s, d, len(self.x), -1, m)
        layers = []
        for k in range(2, n_hidden + 2):
            layers.append(activation.value(units) if watched else activation.value_(units))
            weights = parameters[f"W{k}"].unsqueeze(2)
            single = weights.shape[-1] == 1  # elementwise is faster than a product with a column
            units = (weights * layers[-1]).sum(3, True) if single else weights.mT @ layers[-1]
            units = units + parameters[f"b{k}"][:, :, None, :, None]
        return [*layers, units.squeeze(3)]

    def _squares(self, outputs: Tensor) -> Tensor:
        """Residual sums of squares ``[s, m, j]``."""
        error = (outputs - self.targets).square()
        if self.counted is not None:
            error = error * self.counted.mT[:, :, None]
        return error.sum(-2).mT

    def _variance(self, parameters: Parameters) -> Tensor:
        """Noise variances ``[s, j]``, or ``[1, j]`` where they are fixed."""
        if self.learned:
            return parameters["log_noise"].exp()
        return torch.full_like(self.n, float(self.options.noise_variance)).unsqueeze(0)

    def _log_likelihood(self, squares: Tensor, parameters: Parameters) -> Tensor:
        v = self._variance(parameters).unsqueeze(1)
        return -0.5 * self.likelihood_scale * (squares / v + self.n * (2 * math.pi * v).log())

    def _backward(
        self, layers: list[Tensor], parameters: Parameters, weight: Tensor, *, all_of_them: bool
    ) -> tuple[Tensor, Parameters]:
        """Carry weighted likelihood gradients back: the masked first weights, all the others.

        Returns the gradient with respect to ``g_ij W1_jih`` for each graph, ``[s, j, i, h, m]``,
        and, if asked, the gradients of the other parameters. Overwrites the layers.
        """
        *hidden, outputs = layers
        s, d, n, m = outputs.shape
        activation = _ACTIVATIONS[self.options.activation]
        scale = self.likelihood_scale / self._variance(parameters)  # [s, j]
        slope = scale.unsqueeze(-1) * weight.mT  # [s, j, m]
        error = (self.targets - outputs) * slope.contiguous().unsqueeze(2)
        if self.counted is not None:
            error = error * self.counted.mT[:, :, None]
        delta = error.contiguous().unsqueeze(3)  # [s, j, n, 1, m]
        gradients: Parameters = {}
        for k in range(len(hidden), 0, -1):
            units = hidden[k - 1]
            weights = parameters[f"W{k + 1}"].unsqueeze(2)
            if all_of_them:
                gradients[f"W{k + 1}"] = (units @ delta.mT).sum(2)
                gradients[f"b{k + 1}"] = delta.sum((2, 4))
            delta = weights * delta if delta.shape[3] == 1 else weights @ delta
            delta.mul_(activation.slope_(units))
        inputs = self.inputs.mT.expand(s * d, -1, -1)
        by_first = torch.bmm(inputs, delta.view(s * d, n, -1)).view(s, d, inputs.shape[1], -1, m)
        if all_of_them:
            gradients["b1"] = by_first[:, :, -1].sum(-1)
        return by_first[:, :, :-1], gradients

    def _edge_log_prior(self, parameters: Parameters) -> Tensor:
        """Log prior of the input weights of each edge, ``[s, 1, i, j]``."""
        return self._log_normal(parameters["W1"]).sum(-1).mT.unsqueeze(1)

    def _log_normal(self, value: Tensor) -> Tensor:
        scale = self.options.parameter_scale
        return -0.5 * (value / scale).square() - 0.5 * math.log(2 * math.pi * scale**2)

    def _log_prior(self, graphs: Tensor, parameters: Parameters) -> Tensor:
        total = (graphs * self._edge_log_prior(parameters)).sum(-2)
        for name in self.network[1:]:
            total = total + self._log_normal(parameters[name]).flatten(2).sum(-1).unsqueeze(1)
        if not self.learned:
            return total
        a, b = self.options.noise_shape, self.options.noise_rate
        log_v = parameters["log_noise"]
        density = a * math.log(b) - math.lgamma(a) - a * log_v - b * (-log_v).exp()
        return total + density.unsqueeze(1)
