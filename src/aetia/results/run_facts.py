"""What is known about a run of any method, whatever its result is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from aetia.files import plain_json
from aetia.version import __version__

__all__ = ["RunFacts"]


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What is known about a run of any method; every result has them as ``facts``.

    Attributes:
        method: Name of the method, as the registries and the command line have it: ``"exact"``,
            ``"dibs"``, ``"causalbgm"``, ...; empty where a result was made by hand.
        seed: Entropy of the run; the same seed with the same options gives the same result.
        version: Version of aetia.
        device: Where the computation ran, ``"cpu"`` or ``"cuda:0"``; empty where unknown.
        seconds: Wall time of the fit.
        n_steps: Steps that were taken, of training, of a sampler or of a chain; None where the
            method takes none.
        best_step: Step whose weights are used, for methods that keep the best on validation rows.
        config: All options with their values, as ``config.yaml`` of a run has them.
    """

    method: str = ""
    seed: int | None = None
    version: str = __version__
    device: str = ""
    seconds: float | None = None
    n_steps: int | None = None
    best_step: int | None = None
    config: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def to_dict(self) -> dict[str, Any]:
        """Put the facts into plain values.

        Returns:
            Values by name. The seed is text: JSON readers round integers of that size.
        """
        plain = plain_json({f.name: getattr(self, f.name) for f in fields(self)})
        return plain | {"seed": None if self.seed is None else str(self.seed)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> RunFacts:
        """Read what :meth:`to_dict` wrote.

        Args:
            plain: Values by name; unknown names, of newer versions, are ignored. What is missing,
                as in files of versions before there were facts, is unknown.

        Returns:
            The facts.
        """
        known: dict[str, Any] = {"version": ""}
        known |= {f.name: plain[f.name] for f in fields(cls) if f.name in plain}
        if known.get("seed") is not None:
            known["seed"] = int(known["seed"])
        return cls(**known)
