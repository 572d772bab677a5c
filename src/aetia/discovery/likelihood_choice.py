"""Which likelihood scores a table: by the kinds of its columns, then by its own evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from aetia.data import Dataset
from aetia.errors import InputError
from aetia.likelihoods import (
    LIKELIHOODS,
    Additive,
    DecomposableLikelihood,
    NormalScores,
    VaryingNoise,
    choose_by_evidence,
    noise_is_additive,
    non_gaussian_nats,
    on_normal_scores,
    variance_evidence,
)
from aetia.options import choose

__all__ = [
    "ChosenLikelihood",
    "LikelihoodEvidence",
    "choose_likelihood",
    "decomposable",
]

_FAMILIES = ("bge", "normal-scores", "rank-basis")
"""What the additive likelihood is compared with where its noise is additive."""
_FINE_COLUMNS = 8
"""Spline columns of a parent where the test of the noise is repeated, and on many rows."""
_MANY_ROWS = 1_000
"""From here on the finer curves find fewer false edges; on a tenth of the rows they miss some."""
_ABSOLUTE = ("bge",)
"""Those among them whose score says how probable the data are, not only which parents."""


class LikelihoodEvidence(NamedTuple):
    """What a sampler of graphs says of one likelihood on a table."""

    log_total: float
    """Log of the sum over graphs, relative to the empty graph."""
    draws: tuple[Bool[Tensor, "s d d"], Float[Tensor, " s"]] | None
    """Graphs with log weights, where they were asked for."""


@runtime_checkable
class SumOverGraphs(Protocol):
    """How the evidence of a likelihood is found."""

    def __call__(
        self, likelihood: DecomposableLikelihood, *, with_graphs: bool
    ) -> LikelihoodEvidence:
        """Sum over all graphs."""
        ...


@dataclass(frozen=True, kw_only=True)
class ChosenLikelihood:
    """A likelihood and the reason that is told to the user.

    Attributes:
        likelihood: Its options.
        reason: One or two sentences.
        numbers: What was compared, in nats; empty where nothing was.
    """

    likelihood: DecomposableLikelihood
    reason: str
    numbers: Mapping[str, float] = field(default_factory=dict)


def decomposable(method: str, likelihood: Any) -> DecomposableLikelihood:
    """Find a likelihood that has score tables.

    Args:
        method: Name for messages.
        likelihood: A name, options, or an object of the user's own.

    Returns:
        Its options.

    Raises:
        InputError: If the score of a graph is not a sum over variables of scores of parent sets.
    """
    names = [name for name, cls in LIKELIHOODS.items() if hasattr(cls, "local_scores")]
    if not isinstance(likelihood, (str, Mapping)) and not hasattr(likelihood, "local_scores"):
        raise InputError(
            f"{method} needs a likelihood whose score is a sum over variables of tables over "
            f"parent sets (`local_scores`); {getattr(likelihood, 'name', likelihood)!r} has none. "
            f"Use one of {', '.join(names)}, or DiBS."
        )
    chosen = choose("likelihood", likelihood, LIKELIHOODS, needs="local_scores")
    if not hasattr(chosen, "local_scores"):
        raise InputError(
            f"{method} needs a likelihood whose parameters can be integrated out, one of "
            f"{', '.join(names)}; not {chosen.name!r}. DiBS takes it."
        )
    return chosen


def choose_likelihood(
    method: str,
    option: Any,
    data: Dataset,
    evidence: SumOverGraphs,
    *,
    absolute: bool = False,
) -> ChosenLikelihood:
    """Take the user's likelihood, or choose one for the table.

    Args:
        method: Name for messages.
        option: The option ``likelihood``; ``"auto"`` chooses.
        data: The complete table.
        evidence: Sums and draws over graphs under a likelihood; called for tables of numbers only.
        absolute: Whether scores of different rows will be compared, which needs a density.

    Returns:
        The likelihood with the reason for it.
    """
    if option != "auto":
        return ChosenLikelihood(likelihood=decomposable(method, option), reason="")
    kinds = set(data.kinds)
    if kinds <= {"binary", "categorical"}:
        return ChosenLikelihood(
            likelihood=LIKELIHOODS["bdeu"](), reason="All columns are discrete."
        )
    if not kinds <= {"continuous", "count"}:
        discrete = [
            name
            for name, kind in zip(data.names, data.kinds, strict=True)
            if kind in ("binary", "categorical")
        ]
        return ChosenLikelihood(
            likelihood=LIKELIHOODS["block"](),
            reason=(
                f"The table mixes numbers with discrete columns ({_some(discrete)}): directions "
                "come from conditional independence only, and edges through a coarse column may "
                "appear as direct."
            ),
        )
    return _by_evidence(data, evidence, _ABSOLUTE if absolute else _FAMILIES)


def _by_evidence(
    data: Dataset,
    evidence: SumOverGraphs,
    families: tuple[str, ...],
) -> ChosenLikelihood:
    """Compare the likelihoods for numbers on the table; a test of the noise comes first."""
    columns = {"n_columns": _FINE_COLUMNS if data.n >= _MANY_ROWS else Additive().n_columns}
    models = {name: LIKELIHOODS[name]() for name in families}
    models |= {"additive": Additive(**columns), "normal-scores": NormalScores(**columns)}
    additive = models["additive"]
    found = {"additive": evidence(additive, with_graphs=True)}
    on_table = _noise_varies(data, evidence, additive, found["additive"])
    if not noise_is_additive(on_table, data.d) and additive.n_columns < _FINE_COLUMNS:
        # The misfit of stiff curves looks like varying noise; finer ones decide.
        fine = Additive(n_columns=_FINE_COLUMNS)
        on_table = _noise_varies(data, evidence, fine, evidence(fine, with_graphs=True))
    variance = {"additive": on_table}
    if noise_is_additive(on_table, data.d):
        for name in families:
            found[name] = evidence(models[name], with_graphs=name == "normal-scores")
    if "normal-scores" in found:
        scores = on_normal_scores(data)
        variance["normal-scores"] = min(
            _variance(scores, found["normal-scores"], n_columns)
            for n_columns in {additive.n_columns, _FINE_COLUMNS}
        )
    totals = {name: answer.log_total for name, answer in found.items()}
    choice = choose_by_evidence(totals, variance, non_gaussian_nats(data), data.n)
    return ChosenLikelihood(
        likelihood=models.get(choice.name) or LIKELIHOODS[choice.name](**choice.options),
        reason=choice.reason,
        numbers=choice.numbers,
    )


def _noise_varies(
    data: Dataset, evidence: SumOverGraphs, model: Additive, answer: LikelihoodEvidence
) -> float:
    """Evidence that noise varies with the parents, in nats, against one additive model."""
    over_draws = _variance(data, answer, model.n_columns)
    if not noise_is_additive(over_draws, data.d):
        return over_draws
    # Draws of the additive posterior miss graphs that only the wider model finds likely.
    wider = evidence(VaryingNoise(additive=model), with_graphs=False).log_total
    return max(over_draws, wider - answer.log_total)


def _variance(data: Dataset, answer: LikelihoodEvidence, n_columns: int) -> float:
    """The same over the graphs of an additive posterior only."""
    assert answer.draws is not None
    return variance_evidence(data, *answer.draws, n_columns=n_columns)


def _some(names: list[str], most: int = 3) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
