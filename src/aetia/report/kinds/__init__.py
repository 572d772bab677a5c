"""What can be reported: one file for each kind of result, and the table of them."""

from typing import Any

from aetia.report.kinds.diffusion import DIFFUSION
from aetia.report.kinds.effect import EFFECT
from aetia.report.kinds.experiment import EXPERIMENT
from aetia.report.kinds.generation import GENERATION
from aetia.report.kinds.graph import GRAPH
from aetia.report.kinds.imputation import IMPUTATION
from aetia.report.kinds.run_kind import RunKind
from aetia.report.kinds.series import SERIES

__all__ = ["KINDS", "RunKind"]

KINDS: dict[str, RunKind[Any]] = {
    kind.name: kind
    for kind in (GRAPH, SERIES, EFFECT, IMPUTATION, GENERATION, DIFFUSION, EXPERIMENT)
}
