"""The verb ``simulate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import typer

from aetia.data import Dataset, Truth
from aetia.errors import InputError
from aetia.files import plain_json, write_atomically
from aetia.options import build
from aetia.randomness import seed_sequence
from aetia.report import check_writable
from aetia.scm import Simulation, simulate, sortability_card
from aetia.scm.effect_designs import simulate_study

__all__ = ["run_simulate", "run_simulate_study"]


def run_simulate(
    options: dict[str, Any], *, noise_variance: str, seed: int | None, out: Path, as_json: bool
) -> None:
    """Simulate a table and write it with its truth.

    Args:
        options: Fields of ``Simulation``.
        noise_variance: A number, or two with a comma.
        seed: Seed, or None for a fresh one.
        out: Folder for ``data.csv``, ``truth.csv`` and ``simulation.json``.
        as_json: Print JSON instead of lines.
    """
    import pandas as pd

    simulation = build(Simulation, {**options, "noise_variance": _variance(noise_variance)})
    folder = check_writable(out)
    seeds = seed_sequence(seed)
    table, _ = simulate(simulation, int(seeds.entropy) if seed is None else seed)  # pyright: ignore
    card = sortability_card(table)
    frame = _frame(table.data)
    write_atomically(folder / "data.csv", frame.to_csv(index=False))
    write_atomically(folder / "truth.csv", _edges(table.truth, pd).to_csv(index=False))
    facts = plain_json(
        {
            "seed": seeds.entropy,
            "rows": table.data.n,
            "variables": table.data.d,
            "edges": int(table.truth.graph.sum()),
            **card,
            "simulation": vars(simulation),
        }
    )
    write_atomically(folder / "simulation.json", json.dumps(facts, indent=1))
    if as_json:
        typer.echo(json.dumps(facts | {"data": str(folder / "data.csv")}))
        return
    typer.echo(
        f"{folder / 'data.csv'}: {table.data.n:,} rows, {table.data.d} variables; "
        f"{folder / 'truth.csv'}: {facts['edges']} edges; seed {facts['seed']}"
    )
    typer.echo(
        f"varsortability {card['varsortability']:.2f}, R2-sortability {card['r2_sortability']:.2f} "
        "(0.5 leaks nothing). Values near 1 mean that sorting the columns by variance, or by how "
        "well the others predict them, gives the causal order: raw synthetic scales do that."
    )


def run_simulate_study(
    design: str,
    *,
    n: int | None,
    n_covariates: int | None,
    seed: int | None,
    out: Path,
    as_json: bool,
) -> None:
    """Simulate a study and write it with its true effects.

    Args:
        design: Name of the design.
        n: Units; None for the design's usual number.
        n_covariates: Covariates; None for the design's usual number.
        seed: Seed, or None for a fresh one.
        out: Folder for ``data.csv``, ``truth.csv`` and ``simulation.json``.
        as_json: Print JSON instead of lines.
    """
    import pandas as pd

    seeds = seed_sequence(seed)
    used = int(seeds.entropy) if seed is None else seed  # pyright: ignore[reportArgumentType]
    study = simulate_study(design, n, n_covariates, random_state=used)
    folder = check_writable(out)
    data, truth = study.data, study.truth
    is_arms = truth.propensity is not None
    doses = np.array([0.0, 1.0])
    if not is_arms:
        low, high = np.quantile(study.treatment, [0.05, 0.95])
        doses = np.linspace(low, high, 20)
    response = truth.dose_response(doses)
    frame = _frame(data)
    if is_arms:
        frame["treatment"] = frame["treatment"].astype(int)
        unit = {"row": np.arange(data.n), "effect": truth.unit_effects()}
        text = pd.DataFrame(unit).to_csv(index=False)
    else:
        text = pd.DataFrame({"dose": doses, "mean": response}).to_csv(index=False)
    write_atomically(folder / "data.csv", frame.to_csv(index=False))
    write_atomically(folder / "truth.csv", text)
    facts = plain_json(
        {
            "design": design,
            "seed": seeds.entropy,
            "rows": data.n,
            "covariates": study.covariates.shape[1],
            "ate": float(response[1] - response[0]) if is_arms else None,
            "doses": doses,
            "dose_response": response,
        }
    )
    write_atomically(folder / "simulation.json", json.dumps(facts, indent=1))
    if as_json:
        typer.echo(json.dumps(facts | {"data": str(folder / "data.csv")}))
        return
    what = "effects of all units" if is_arms else "mean outcomes of 20 doses"
    typer.echo(
        f"{folder / 'data.csv'}: {data.n:,} units, {facts['covariates']} covariates; "
        f"{folder / 'truth.csv'}: {what}; seed {facts['seed']}"
    )
    if is_arms:
        typer.echo(f"true average effect {facts['ate']:.4g}")


def _variance(text: str) -> float | tuple[float, float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not all(v > 0 for v in numbers):
        raise InputError(f"--noise-variance takes one number or low,high above 0, got {text!r}.")
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def _frame(data: Dataset) -> Any:
    import pandas as pd

    frame = pd.DataFrame(data.values, columns=list(data.names))
    if data.intervened is not None:
        names = np.array(data.names, dtype=object)
        frame["intervened"] = [";".join(names[row]) for row in data.intervened]
    return frame


def _edges(truth: Truth, pd: Any) -> Any:
    i, j = np.nonzero(truth.graph)
    frame = pd.DataFrame(
        {"source": [truth.names[k] for k in i], "target": [truth.names[k] for k in j]}
    )
    if truth.weights is not None:
        frame["weight"] = truth.weights[i, j]
    return frame
