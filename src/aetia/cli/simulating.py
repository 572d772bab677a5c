"""What ``simulate`` does: a table with known causes, or a study with known effects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import typer

from aetia.cli.request import Request
from aetia.data import Dataset, Truth
from aetia.errors import InputError
from aetia.files import check_writable, dump_json, plain_json, replacing_run, write_atomically
from aetia.options import build
from aetia.randomness import seed_of, seed_sequence
from aetia.scm import Simulation, simulate, sortability_card
from aetia.scm.effect_designs import simulate_study

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["run_simulate"]

_OF_GRAPHS = ("graph", "edges_per_node", "direction", "mechanism", "noise", "noise_variance")
_OF_GRAPHS = (*_OF_GRAPHS, "interventional")
_FIELDS = {"variables": "d", "rows": "n", "interventional": "n_interventional"}
"""Options whose fields of ``Simulation`` have another name."""


class _Simulated(NamedTuple):
    """Tables for files, and what is said of them."""

    data: pd.DataFrame
    truth: pd.DataFrame
    facts: dict[str, Any]
    words: str


def run_simulate(asked: Request) -> None:
    """Simulate, and write the table, what is true about it, and how it was made."""
    seed = seed_of(seed_sequence(asked.seed))
    made = (_graph if asked.study is None else _study)(asked, seed)
    facts = plain_json({"seed": seed, **made.facts})
    names = ("data.csv", "truth.csv", "simulation.json")
    check_writable(asked.out, force=asked.force)
    with replacing_run(asked.out, of_old_runs=names) as folder:
        write_atomically(folder / "truth.csv", made.truth.to_csv(index=False))
        write_atomically(folder / "simulation.json", dump_json(facts, indent=1))
        write_atomically(folder / "data.csv", made.data.to_csv(index=False))
    if asked.as_json:
        typer.echo(dump_json(facts | {"data": asked.out / "data.csv"}))
        return
    data, truth = (str(asked.out / name) for name in names[:2])
    typer.echo(made.words.format(data=data, truth=truth, seed=facts["seed"]))


def _graph(asked: Request, seed: int) -> _Simulated:
    given = {name: getattr(asked, name) for name in ("variables", "rows", *_OF_GRAPHS)}
    given = {_FIELDS.get(k, k): v for k, v in given.items() if v is not None}
    if "noise_variance" in given:
        given["noise_variance"] = _variance(given["noise_variance"])
    simulation = build(Simulation, given)
    d, each = simulation.d, simulation.edges_per_node
    if simulation.graph == "erdos-renyi" and each > (d - 1) / 2:
        raise InputError(
            f"{each * d:g} edges were asked for, but a DAG of {d} variables holds at most "
            f"{d * (d - 1) / 2:g}: set --edges-per-node to at most {(d - 1) / 2:g}."
        )
    table, _ = simulate(simulation, seed)
    card = sortability_card(table)
    n_edges = int(table.truth.graph.sum())
    size = {"rows": table.data.n, "variables": table.data.d, "edges": n_edges}
    words = (
        f"{{data}}: {table.data.n:,} rows, {table.data.d} variables; {{truth}}: {n_edges} edges; "
        f"seed {{seed}}\nvarsortability {card['varsortability']:.2f}, R2-sortability "
        f"{card['r2_sortability']:.2f} (0.5 leaks nothing). Values near 1 mean that sorting the "
        "columns by variance, or by how well the others predict them, gives the causal order: raw "
        "synthetic scales do that."
    )
    facts = {**size, **card, "simulation": vars(simulation)}
    return _Simulated(_frame(table.data), _edges(table.truth), facts, words)


def _study(asked: Request, seed: int) -> _Simulated:
    import pandas as pd

    for option in _OF_GRAPHS:
        if getattr(asked, option) is not None:
            name = option.replace("_", "-")
            raise InputError(
                f"--{name} is of simulated graphs; the study {asked.study!r} has none."
            )
    study = simulate_study(asked.study, asked.rows, asked.variables, random_state=seed)
    data, truth = study.data, study.truth
    is_arms = truth.propensity is not None
    doses = np.array([0.0, 1.0])
    if not is_arms:
        low, high = np.quantile(study.treatment, [0.05, 0.95])
        doses = np.linspace(low, high, 20)
    response = truth.dose_response(doses)
    frame = _frame(data)
    known: Mapping[str, Any] = {"dose": doses, "mean": response}
    what, last = "mean outcomes of 20 doses", ""
    ate = None
    if is_arms:
        frame["treatment"] = frame["treatment"].astype(int)
        known = {"row": np.arange(data.n), "effect": truth.unit_effects()}
        ate = float(response[1] - response[0])
        what, last = "effects of all units", f"\ntrue average effect {ate:.4g}"
    n_covariates = study.covariates.shape[1]
    size = {"rows": data.n, "covariates": n_covariates}
    facts = {"ate": ate, "doses": doses, "dose_response": response}
    words = (
        f"{{data}}: {data.n:,} units, {n_covariates} covariates; {{truth}}: {what}; seed {{seed}}"
    )
    return _Simulated(
        frame, pd.DataFrame(known), {"design": asked.study, **size, **facts}, words + last
    )


def _variance(text: str) -> float | tuple[float, float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not all(v > 0 for v in numbers):
        raise InputError(f"--noise-variance takes one number or low,high above 0, got {text!r}.")
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def _frame(data: Dataset) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(data.values, columns=list(data.names))
    if data.intervened is not None:
        names = np.array(data.names, dtype=object)
        frame["intervened"] = [";".join(names[row]) for row in data.intervened]
    return frame


def _edges(truth: Truth) -> pd.DataFrame:
    import pandas as pd

    i, j = np.nonzero(truth.graph)
    frame = pd.DataFrame(
        {"source": [truth.names[k] for k in i], "target": [truth.names[k] for k in j]}
    )
    if truth.weights is not None:
        frame["weight"] = truth.weights[i, j]
    return frame
