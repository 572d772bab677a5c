"""The scikit-learn face of amortised methods: a table in, one forward pass, a posterior out."""

from __future__ import annotations

import os
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from sklearn.base import BaseEstimator

from aetia.data import standardise_rows
from aetia.devices import pick_device
from aetia.discovery.amortised.familiarity import Familiarity, table_features
from aetia.discovery.amortised.network import AmortisedNetwork
from aetia.discovery.amortised.pretrained import Pretrained
from aetia.discovery.amortised.pretraining import (
    PretrainingData,
    build_network,
    pretrain,
)
from aetia.discovery.table import Accepts, DiscoveryTable, read_table
from aetia.errors import CheckpointError, DataWarning, FamiliarityWarning, InputError
from aetia.graphs import Knowledge
from aetia.likelihoods import BGe
from aetia.options import build, options_dict
from aetia.randomness import seed_of, seed_sequence, torch_generator
from aetia.results import GraphPosterior, LinearModel, RunFacts
from aetia.scm import TaskFamily
from aetia.training import Tracker, TrainingConfig, make_fabric

__all__ = ["AmortisedEstimator"]

E = TypeVar("E", bound="AmortisedEstimator")


class AmortisedEstimator(BaseEstimator, ABC):
    """What AVICI and BCNP share; use one of them."""

    accepts = Accepts()
    method: ClassVar[str]
    """Name in files."""
    options: ClassVar[type]
    """Frozen dataclass of the estimator's options."""
    network_config: ClassVar[type]
    """Frozen dataclass of the network's options."""
    network_class: ClassVar[type[AmortisedNetwork]]
    random_state: Any
    device: str

    @abstractmethod
    def __init__(self) -> None: ...

    @classmethod
    def from_pretrained(cls: type[E], weights: str | Path | Pretrained | None = None) -> E:
        """Make an estimator with pre-trained weights.

        Args:
            weights: Name of weights in the package, folder, or object; None for the default.

        Returns:
            An estimator, ready to ``fit`` tables.
        """
        return cls() if weights is None else cls(weights=weights)  # pyright: ignore[reportCallIssue]

    @classmethod
    def pretrain(
        cls: type[E],
        family: TaskFamily,
        *,
        network: Any = None,
        training: TrainingConfig | None = None,
        batch_size: int = 32,
        replay: int = 1,
        seed: int = 0,
        folder: str | Path | None = None,
        validation: Mapping[str, TaskFamily] | None = None,
        validation_numbers: Sequence[int] = tuple(range(1000, 1032)),
        device: str = "auto",
        trackers: Sequence[Tracker] = (),
        resume: bool = True,
        force: bool = False,
    ) -> E:
        """Train a network on simulated tasks of a family.

        Args:
            family: An :class:`aetia.Family`, or any class with the same few methods.
            network: Options of the network; None for the defaults.
            training: Options of the training loop; None for the defaults.
            batch_size: Tasks of a step.
            replay: How often each simulated task is used, with fresh row subsets.
            seed: Seed of the initial weights, the tasks and dropout.
            folder: Where checkpoints, the health record and the weights are written; an interrupted
                run goes on from there. None keeps nothing.
            validation: Families to validate on, by name; None takes the training family.
            validation_numbers: Which validation tasks of each family.
            device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
            trackers: Follow the run.
            resume: Whether to go on from a checkpoint in the folder.
            force: Resume even if options changed.

        Returns:
            An estimator with the trained weights.
        """
        config = cls.network_config() if network is None else network
        if isinstance(config, Mapping):
            config = build(cls.network_config, config)
        training = training or TrainingConfig()
        data = PretrainingData(
            family=family,
            batch_size=batch_size,
            replay=replay,
            seed=seed,
            validation=validation,
            validation_numbers=validation_numbers,
        )
        fabric = make_fabric(device=device, precision=training.precision)
        fabric.launch()
        weights = pretrain(
            cls.method,
            build_network(cls.network_class, config, seed),
            config,
            data,
            training,
            fabric=fabric,
            seed=seed,
            folder=None if folder is None else Path(folder),
            trackers=trackers,
            resume=resume,
            force=force,
        )
        return cls(weights=weights)  # pyright: ignore[reportCallIssue]

    def fit(
        self: E,
        X: Any,
        y: Any = None,
        *,
        intervened: Any = None,
        regime: Any = None,
        knowledge: Knowledge | Mapping[str, Any] | None = None,
    ) -> E:
        """Predict the posterior over graphs of a table.

        Args:
            X: A frame, array, Dataset, or path of a CSV or Parquet file.
            y: Ignored; scikit-learn passes it.
            intervened: What was set by intervention: a boolean table, or the name of a column.
            regime: Not accepted.
            knowledge: What is known about the graph; hard statements hold in every draw.

        Returns:
            The fitted estimator, with ``posterior_``.

        Raises:
            InputError: If table, options or knowledge cannot be used, or memory is too small.
            CheckpointError: If the weights are damaged, or belong to another method.
        """
        started = time.perf_counter()
        name = type(self).__name__
        vars(self).pop("posterior_", None)  # a failed fit must not leave the answer of another
        config = self.options(**{f.name: getattr(self, f.name) for f in fields(self.options)})
        weights = config.weights
        if not isinstance(weights, Pretrained):
            weights = Pretrained.load(weights)
        network = self.network_of(weights)
        table = read_table(
            X,
            method=name,
            accepts=self.accepts,
            scaling="standardise",
            intervened=intervened,
            regime=regime,
            knowledge=knowledge,
        )
        device = pick_device(self.device)
        _check_memory(table, network, device)
        self.n_features_in_ = table.data.d
        self.feature_names_in_ = np.array(table.data.names, dtype=object)
        raw = torch.from_numpy(table.data.values).double()[None]
        values = standardise_rows(raw).float()
        _report_clipping(name, values)
        # Networks were trained with a mask for every table, empty where nothing was set.
        marks = table.intervened
        marks = torch.zeros_like(values, dtype=torch.bool) if marks is None else marks[None]
        familiarity = _familiarity(name, weights, values, marks)
        with torch.inference_mode():
            # Networks that were trained on raw values read them, but all tables are compared with
            # the training tasks by their standardised values.
            read = values if weights.card.get("normalise", True) else raw.float()
            prediction = network.to(device)(read.to(device), marks.to(device))
            seeds = seed_sequence(self.random_state)
            draws = network.distribution(prediction).draw_dags(
                table.constraints, config.n_draws, torch_generator(seeds)
            )
        self.facts_ = RunFacts(
            method=self.method,
            seed=seed_of(seeds),
            device=str(device),
            seconds=time.perf_counter() - started,
            config=options_dict(replace(config, weights=weights.name)),
        )
        self.posterior_ = GraphPosterior(
            graphs=draws.graphs.numpy(),
            log_weights=(draws.log_weights - draws.log_weights.logsumexp(0)).numpy(),
            names=table.data.names,
            edge_marginals=draws.marginals.double().numpy(),
            knowledge=table.knowledge,
            # The network predicts graphs and no weights: effects are those of BGe given each graph.
            model=LinearModel(BGe(), table.moments(), table.centre, table.scale),
            covariance=table.covariance(),
            facts=self.facts_,
            diagnostics={
                "likelihood": "amortised",
                "weights": weights.name,
                "weights_key": weights.key,
                "n_rows": table.data.n,
                **draws.facts,
                "familiarity": familiarity,
                "calibration_badge": weights.card.get("calibration_badge", ""),
            },
        )
        self.health_, self.history_ = dict(self.posterior_.diagnostics), []
        return self

    @classmethod
    def network_of(cls, weights: Pretrained) -> AmortisedNetwork:
        """Rebuild a network from its weights.

        Args:
            weights: Weights that were trained for this method.

        Returns:
            The network, in evaluation mode.

        Raises:
            CheckpointError: If they belong to another method, or do not fit.
        """
        if weights.method != cls.method:
            raise CheckpointError(
                f"the weights {weights.name!r} are of {weights.method!r}, not of {cls.method!r}."
            )
        network = build_network(cls.network_class, build(cls.network_config, weights.network), 0)
        try:
            network.load_state_dict({k: v.float() for k, v in weights.weights.items()})
        except RuntimeError as error:
            raise CheckpointError(
                f"the weights {weights.name!r} do not fit the network that their card describes: "
                f"{error}"
            ) from error
        return network.eval()


def _familiarity(
    name: str, weights: Pretrained, values: torch.Tensor, marks: torch.Tensor
) -> float:
    """Warn if the table does not look like the training tasks."""
    if "familiarity" not in weights.card:
        return float("nan")
    known = Familiarity.from_dict(weights.card["familiarity"])
    ratio, reason = known.judge(table_features(values, marks)[0].numpy())
    if reason is not None:
        warnings.warn(
            f"this table does not look like the tasks that {name} was trained on (its distance "
            f"is {ratio:.2g} times what 99 % of them stay below): {reason}. Its probabilities may "
            "be far off; compare with method DiBS, or pre-train on a family like your data.",
            FamiliarityWarning,
            stacklevel=3,
        )
    return ratio


def _report_clipping(name: str, values: torch.Tensor) -> None:
    n_clipped = int((values.abs() >= 10.0).sum())
    if n_clipped:
        warnings.warn(
            f"{n_clipped} value(s) lie more than 10 standard deviations from the mean of their "
            f"column; {name} reads them as 10.",
            DataWarning,
            stacklevel=3,
        )


def _check_memory(table: DiscoveryTable, network: AmortisedNetwork, device: torch.device) -> None:
    """Refuse tables whose tokens do not fit; memory is linear in rows times columns."""
    needed = 4 * 4 * table.data.n * table.data.d * network.config.dim  # pyright: ignore
    if device.type == "cuda":
        available = torch.cuda.mem_get_info(device)[0]
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        available = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    else:
        return
    if needed > 0.8 * available:
        raise InputError(
            f"{table.data.n:,} rows of {table.data.d} columns need about {needed / 2**30:.1f} GB "
            f"of memory, {available / 2**30:.1f} GB are there. Pass a random sample of at most "
            f"{int(0.8 * available / needed * table.data.n):,} rows."
        )
