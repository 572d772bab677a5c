"""Facts of a run under the keys that ``diagnostics`` had for them before results had ``facts``.

Files and programs of earlier versions know ``diagnostics["method"]``, a class name, and so on. Here
such keys are moved to where they belong, and asking for them still works for one release.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aetia.results.run_facts import RunFacts

__all__ = ["CLASS_NAMES", "Diagnostics", "method_key", "separate_facts"]

CLASS_NAMES = {
    "exact": "ExactPosterior",
    "order-mcmc": "OrderMCMC",
    "dibs": "DiBS",
    "avici": "AVICI",
    "bcnp": "BCNP",
    "rcgnn": "RCGNN",
    "causalbgm": "CausalBGM",
    "identifiable": "IdentifiableCausalBGM",
    "full-mcmc": "FullMCMCCausalBGM",
    "bgm": "BGM",
    "image-bgm": "ImageBGM",
    "mnist-bgm": "MNISTBGM",
    "dddm": "DDDM",
    "image-dddm": "ImageDDDM",
}
"""Name of a method to the class that earlier versions wrote in its place."""

_KEYS = {name: key for key, name in CLASS_NAMES.items()}

_MOVED: dict[str, tuple[str, Callable[[RunFacts], Any]]] = {
    "method": ("method", lambda facts: CLASS_NAMES.get(facts.method, facts.method)),
    "seed": ("seed", lambda facts: facts.seed),
    "version": ("version", lambda facts: facts.version),
    "device": ("device", lambda facts: facts.device),
    "wall_time_s": ("seconds", lambda facts: facts.seconds),
    "seconds": ("seconds", lambda facts: facts.seconds),
    "config": ("config", lambda facts: dict(facts.config)),
    "options": ("config", lambda facts: dict(facts.config)),
}
"""Earlier key to the field of the facts and to the value under that key."""


class Diagnostics(dict[str, Any]):
    """What is peculiar to a method; facts that moved to ``facts`` answer with a ``FutureWarning``.

    Args:
        values: Diagnostics by name.
        facts: Facts of the run, which answer for their earlier keys.
    """

    def __init__(self, values: Mapping[str, Any], facts: RunFacts) -> None:
        super().__init__(values)
        self._facts = facts

    def __missing__(self, key: str) -> Any:
        field, value = _MOVED[key]  # a KeyError that names the key, like that of any dict
        found = value(self._facts)
        if found in (None, "", {}):
            raise KeyError(key)
        warnings.warn(
            f"diagnostics[{key!r}] moved to facts.{field} and will be gone in the next release.",
            FutureWarning,
            stacklevel=2,
        )
        return found

    def get(self, key: str, default: Any = None) -> Any:
        """Look a key up, also an earlier one.

        Args:
            key: The key.
            default: The answer where there is none.

        Returns:
            Its value, or the default.
        """
        try:
            return self[key]
        except KeyError:
            return default


def method_key(name: str) -> str:
    """Turn what earlier versions called a method into its name in the registries.

    Args:
        name: Name of a class, or of a method.

    Returns:
        The name of the method; what is unknown stays as it is.
    """
    return _KEYS.get(name, name)


def separate_facts(facts: RunFacts, diagnostics: Mapping[str, Any]) -> tuple[RunFacts, Diagnostics]:
    """Move facts that stand in the diagnostics under their earlier keys to the facts.

    Args:
        facts: What is known already; it wins over what the diagnostics say.
        diagnostics: Diagnostics of a result, perhaps of an earlier version.

    Returns:
        The facts, and the diagnostics without them.
    """
    old = {key: diagnostics[key] for key in _MOVED if key in diagnostics}
    rest = {key: value for key, value in diagnostics.items() if key not in old}
    if old and not facts.method:
        facts = replace(facts, **_read(old), **_whole_numbers(diagnostics))
    if old.get("method") == CLASS_NAMES["exact"]:
        rest.setdefault("exact", "enumeration")  # all that the first version could do
    return facts, Diagnostics(rest, facts)


def _read(old: Mapping[str, Any]) -> dict[str, Any]:
    known = {_MOVED[key][0]: value for key, value in old.items() if value is not None}
    if "method" in known:
        known["method"] = method_key(str(known["method"]))
    if "seed" in known:
        seed = known["seed"]
        known["seed"] = int(seed) if isinstance(seed, int) or str(seed).isdigit() else None
    return known


def _whole_numbers(diagnostics: Mapping[str, Any]) -> dict[str, int]:
    """Steps, where there is one number of them; ensembles have a list."""
    found = {key: diagnostics.get(key) for key in ("n_steps", "best_step")}
    return {key: value for key, value in found.items() if isinstance(value, int)}
