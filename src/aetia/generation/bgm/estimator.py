"""BGM: a Bayesian generative model of a table (Liu & Wong, 2026, arXiv 2601.05355)."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, TransformerMixin

from aetia.data import Rows, read_rows
from aetia.data.accepts import Accepts
from aetia.devices import pick_device
from aetia.errors import InputError
from aetia.generation.bgm.config import BGMConfig
from aetia.generation.bgm.files import load_model, save_model
from aetia.generation.bgm.fit import fit_model
from aetia.generation.bgm.model import FittedModel
from aetia.generation.bgm.table import check_binary, check_table, check_unit_interval, scales_of
from aetia.not_fitted import check_fitted
from aetia.randomness import RandomState, seed_sequence
from aetia.results import Draws
from aetia.results.earlier_keys import Diagnostics

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BGM"]


class BGM(TransformerMixin, BaseEstimator):
    """Learn how the columns of a table vary together; fill its holes, draw new rows.

    Latents z ~ N(0, I) and a network give the distribution of every row; missing cells are
    integrated out. Columns with two values have a Bernoulli distribution, all others a normal one
    given z.

    Args:
        n_latents: Width of the latents z. More latents can follow more directions of variation and
            take longer to fit; ``"auto"`` takes as many as the principal components that explain 90
            % of the variance, 2 to 20.
        likelihood: Distribution of the columns given the latents: independent normal noise, normal
            noise that is correlated between columns, or Bernoulli for tables of probabilities.
            Columns with two values are Bernoulli in all three.
        rank: Number of factors of the correlated noise in ``likelihood="low-rank"``; more allow
            richer correlations between columns and cost time.
        latents: How the latents are treated in training: integrated out by importance draws,
            followed by one chain for each row, or replaced by their mode (the original, which makes
            the noise too small).
        missingness: Model of missingness. ``"mar"`` assumes that whether a value is missing does
            not depend on it; ``"mnar"`` learns how it does.
        missingness_units: Hidden layers of a perceptron of all columns in the model of missingness;
            empty for a logistic regression of each column's missing cells on its own values.
        bayesian_generator: Whether the weights of the generator have a posterior, so that draws
            also show how uncertain the networks are; one draw of the weights then serves one draw
            of the rows, which is slower.
        generator_units: Widths of the hidden layers of the generator, from latents to columns.
            Wider and deeper ones follow more complicated dependence and need more rows.
        encoder_units: Widths of the hidden layers of the encoder, from rows with missing cells to
            latents.
        critic_units: Widths of the hidden layers of the critics of the adversarial initialisation.
        smallest_std: Lower bound of the noise, in standard deviations of the column. Raise it if a
            column is rounded or nearly a function of others and training becomes unstable.
        n_egm_steps: Updates of the adversarial initialisation, with which the original begins.
            Measured, it does not help the main training (docs/bgm.md), so there is none by default.
        n_steps: Updates of the main training. Raise it if the bound still rises at the end of the
            training curves; time grows in proportion.
        batch_size: Rows of one update. Smaller batches make updates noisier and cheaper.
        learning_rate: Largest step size of the main training; it falls to a hundredth by a cosine.
            Lower it if the loss jumps or updates are skipped.
        weight_decay: Decoupled decay of the weight matrices; every update shrinks them by this
            times the learning rate. Raise it if the validation bound falls while the training bound
            rises.
        latent_learning_rate: Step size of the latents, which only ``latents="map"`` moves by
            gradients.
        egm_learning_rate: Step size of the adversarial initialisation, constant over its updates.
        n_importance: Importance draws of each row in the bound of ``latents="importance"``. More
            draws bring the bound closer to the likelihood and cost time in proportion.
        gradient_penalty: Penalty weight on the slopes of the critics (gamma in the paper); 0
            switches it off. It only matters in the adversarial initialisation.
        variance_penalty: Penalty weight on the squared variances in the adversarial initialisation
            (alpha in the paper); 0 switches it off.
        n_critic_steps: Updates of the critics for each update of generator and encoder in the
            adversarial initialisation.
        kl_weight: Weight of the divergence of that posterior from its prior. ``"auto"`` is one over
            the number of training rows, with which the loss bounds the evidence; less makes the
            posterior narrower.
        validation_share: Share of the rows, at most 1,000 of them, that are kept for validation:
            they choose the best checkpoint and the end of training.
        patience: Validations without improvement, each after a twentieth of the updates, before
            training stops. Lower it to save time; the best checkpoint usually comes late, when the
            learning rate has fallen.
        n_chains: Chains of every row with missing cells, from which its draws are taken. At least
            two are needed for R-hat.
        n_warmup: Transitions of every chain before its first draw is kept. Raise it if R-hat is
            high.
        n_leapfrog: Leapfrog steps of one Hamiltonian trajectory. More carry a chain farther for
            each draw and cost time in proportion.
        n_starts: Importance draws of every row among which the initial positions of its chains are
            chosen.
        n_evidence: Importance draws of every row in ``score_samples`` and ``transform``. Raise it
            if ``evidence_ess`` is small.
        max_megabytes: Memory in megabytes that draws may take; beyond it results are reduced to
            mean, standard deviation and quantiles.
        random_state: Seed of everything random: None, an integer or a NumPy generator.
        device: Device to compute on: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        progress: Whether to show a progress bar; None shows it in terminals.

    Attributes:
        model_: Networks, scales, facts.
        facts_: What is known about the run: seed, version, device, time, steps, configuration.
        health_: Width of the latents, bound on the validation rows, skipped updates.
        history_: Losses of both stages, a row for each logged step.
        n_latents_: Width of z.
        n_features_in_: Number of columns.
        feature_names_in_: Their names; x0, x1, ... for arrays.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> table = rng.normal(size=(300, 1)) + 0.3 * rng.normal(size=(300, 3))
        >>> table[:50, 0] = np.nan
        >>> fitted = BGM(n_egm_steps=0, n_steps=40, random_state=0).fit(table)
        >>> fitted.impute(table, n_draws=40).frame().shape
        (50, 6)
    """

    accepts = Accepts(missing=True, interventions=False)

    def __init__(
        self,
        n_latents: int | str = "auto",
        likelihood: Literal["gaussian", "low-rank", "bernoulli"] = "gaussian",
        rank: int = 2,
        latents: Literal["importance", "sample", "map"] = "importance",
        missingness: Literal["mar", "mnar"] = "mar",
        missingness_units: Sequence[int] = (),
        bayesian_generator: bool = False,
        generator_units: Sequence[int] = (64, 64, 64),
        encoder_units: Sequence[int] = (64, 64, 64),
        critic_units: Sequence[int] = (64, 32, 8),
        smallest_std: float = 0.01,
        n_egm_steps: int = 0,
        n_steps: int = 2000,
        batch_size: int = 256,
        learning_rate: float = 1e-2,
        weight_decay: float = 0.3,
        latent_learning_rate: float = 5e-3,
        egm_learning_rate: float = 1e-3,
        n_importance: int = 10,
        gradient_penalty: float = 0.0,
        variance_penalty: float = 0.0,
        n_critic_steps: int = 1,
        kl_weight: float | Literal["auto"] = "auto",
        validation_share: float = 0.1,
        patience: int = 20,
        n_chains: int = 4,
        n_warmup: int = 100,
        n_leapfrog: int = 8,
        n_starts: int = 200,
        n_evidence: int = 500,
        max_megabytes: float = 1024.0,
        random_state: RandomState = None,
        device: str = "auto",
        progress: bool | None = None,
    ) -> None:
        self.n_latents = n_latents
        self.likelihood = likelihood
        self.rank = rank
        self.latents = latents
        self.missingness = missingness
        self.missingness_units = missingness_units
        self.bayesian_generator = bayesian_generator
        self.generator_units = generator_units
        self.encoder_units = encoder_units
        self.critic_units = critic_units
        self.smallest_std = smallest_std
        self.n_egm_steps = n_egm_steps
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.latent_learning_rate = latent_learning_rate
        self.egm_learning_rate = egm_learning_rate
        self.n_importance = n_importance
        self.gradient_penalty = gradient_penalty
        self.variance_penalty = variance_penalty
        self.n_critic_steps = n_critic_steps
        self.kl_weight = kl_weight
        self.validation_share = validation_share
        self.patience = patience
        self.n_chains = n_chains
        self.n_warmup = n_warmup
        self.n_leapfrog = n_leapfrog
        self.n_starts = n_starts
        self.n_evidence = n_evidence
        self.max_megabytes = max_megabytes
        self.random_state = random_state
        self.device = device
        self.progress = progress

    def fit(self, X: Any, y: Any = None) -> BGM:
        """Learn from a table, holes and all.

        Args:
            X: A frame, array, Dataset, or path of a CSV or Parquet file; numbers, NaN where
                missing.
            y: Ignored; scikit-learn passes it.

        Returns:
            The fitted estimator.

        Raises:
            InputError: If table or options cannot be used.
        """
        del y
        config = BGMConfig(**{f.name: getattr(self, f.name) for f in fields(BGMConfig)})
        rows = read_rows(X)
        check_table(rows)
        if config.likelihood == "bernoulli":
            check_unit_interval(rows, "with likelihood='bernoulli' all values")
        scales = scales_of(rows.values, keep_scale=config.likelihood == "bernoulli")
        if config.missingness == "mnar":
            _check_mnar(rows, scales.is_binary)
        seeds, device = seed_sequence(self.random_state), pick_device(self.device)
        vars(self).pop("model_", None)  # a failed fit must not leave the answer of another
        model = fit_model(rows.values, rows.names, scales, config, seeds, device, self.progress)
        self._take(model)
        self._rows = rows
        return self

    def impute(
        self, X: Any = None, n_draws: int = 200, *, random_state: RandomState = None
    ) -> Draws:
        """Draw the missing cells of rows from their posterior predictive distribution.

        Args:
            X: Rows with the columns of the fit; None for the table of the fit.
            n_draws: Draws of every missing cell.
            random_state: Seed of the draws; None derives it from the seed of the fit, so that the
                same question has the same answer.

        Returns:
            The draws; given cells stay exactly as they are.

        Raises:
            InputError: If the columns are not those of the fit.
        """
        rows = self._read(X)
        return self.model_.impute(rows.values, n_draws, random_state, rows.labels)

    def predict_interval(
        self, X: Any = None, level: float = 0.9, n_draws: int = 200
    ) -> Float[np.ndarray, "n d 2"]:
        """Compute prediction intervals of the missing cells.

        Args:
            X: Rows with the columns of the fit; None for the table of the fit.
            level: Probability inside.
            n_draws: Draws of every missing cell.

        Returns:
            Lower and upper ends; both are the value where it was given.
        """
        return self.impute(X, n_draws).interval(level)

    def sample(self, n: int = 1000, *, random_state: RandomState = None) -> Draws:
        """Draw new rows.

        Args:
            n: How many.
            random_state: Seed of the draws; None derives it from the seed of the fit.

        Returns:
            One draw of each row.
        """
        return self._fitted().sample(n, random_state)

    def transform(self, X: Any) -> Float[np.ndarray, "n k"]:
        """Compute the posterior mean of the latents of every row.

        Args:
            X: Rows with the columns of the fit, NaN where missing.

        Returns:
            Means of z given the seen cells.
        """
        return self._fitted().evidence(self._read(X).values).latent_mean.numpy()

    def score_samples(self, X: Any) -> Float[np.ndarray, " n"]:
        """Estimate the log likelihood of the seen cells of every row, by importance sampling.

        Args:
            X: Rows with the columns of the fit, NaN where missing.

        Returns:
            Log densities in the user's units; binary columns count by their probability.
            :meth:`evidence_ess` gives the effective number of draws behind each.
        """
        return self._fitted().evidence(self._read(X).values).log_likelihood.numpy()

    def score(self, X: Any, y: Any = None) -> float:
        """Average the log likelihood over the rows.

        Args:
            X: Rows with the columns of the fit, NaN where missing.
            y: Ignored.

        Returns:
            Mean of :meth:`score_samples`.
        """
        del y
        return float(self.score_samples(X).mean())

    def evidence_ess(self, X: Any) -> Float[np.ndarray, " n"]:
        """Count the effective importance draws behind :meth:`score_samples`.

        Args:
            X: Rows with the columns of the fit, NaN where missing.

        Returns:
            One number for each row, at most ``n_evidence``.
        """
        return self._fitted().evidence(self._read(X).values).ess.numpy()

    def save(self, path: str | Path) -> None:
        """Write the fitted model to one file in a folder, atomically. The table is not in it.

        Args:
            path: The folder; made if needed.
        """
        save_model(self._fitted(), path, "BGM")

    @classmethod
    def load(cls, path: str | Path) -> BGM:
        """Read a model written by :meth:`save`, onto the CPU.

        Args:
            path: The folder.

        Returns:
            A fitted estimator that gives the same seeded draws.
        """
        model = load_model(path, "BGM")
        made = cls(**{f.name: getattr(model.config, f.name) for f in fields(BGMConfig)})
        made._take(model)
        return made

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _take(self, model: FittedModel) -> None:
        self.model_ = model
        self.history_ = model.history
        self.facts_ = model.facts
        self.health_ = Diagnostics(model.health, model.facts)
        self.n_latents_ = int(model.health["n_latents"])
        self.n_features_in_ = len(model.names)
        self.feature_names_in_ = np.array(model.names, dtype=object)

    def _fitted(self) -> FittedModel:
        check_fitted(self, "model_", call="fit(table)")
        return self.model_

    def _read(self, X: Any) -> Rows:
        model = self._fitted()
        if X is None:
            if not hasattr(self, "_rows"):
                raise InputError(
                    "the table of the fit is not stored with a saved model; pass it: impute(X)."
                )
            return self._rows
        rows = read_rows(X, names=model.names, expected_by="BGM")
        if model.config.likelihood == "bernoulli":  # pyright: ignore[reportAttributeAccessIssue]
            check_unit_interval(rows, "with likelihood='bernoulli' all values")
        else:
            check_binary(rows, model.scales)
        return rows


def _check_mnar(rows: Rows, is_binary: np.ndarray) -> None:
    for name, column, binary in zip(rows.names, rows.values.T, is_binary, strict=True):
        if binary and np.isnan(column).any():
            raise InputError(
                f"missingness='mnar' was asked for, but column {name!r} is binary and has missing "
                "cells: they are drawn together with the latents, and must be continuous. Use "
                "missingness='mar', or drop the column."
            )
