"""The verb ``generate``."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from aetia.cli.messages import echo_warnings
from aetia.cli.table_models import TableRequest, dry_run, make_model, read_table
from aetia.errors import InputError
from aetia.files import plain_json
from aetia.generation.law_check import check_law
from aetia.report import (
    GenerationAnswers,
    check_writable,
    compare_tables,
    generation_in_words,
    model_facts,
    write_generation_run,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["run_generate"]


def run_generate(request: TableRequest) -> None:
    """Draw new rows like those of a table and write the run folder.

    Args:
        request: What the user asked for.

    Raises:
        InputError: If the request cannot be answered.
    """
    estimator = make_model(request)
    if request.rows < 1:
        raise InputError(f"--rows must be at least 1, got {request.rows!r}.")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        table = read_table(request)
        if request.dry_run:
            dry_run(request, estimator, table, 1)
            echo_warnings(caught)
            return
        check_writable(request.out, force=request.force)
        estimator.fit(table.frame)
        draws = estimator.sample(request.rows)
        comparison = compare_tables(table.rows.values, draws.draw(0), table.rows.names)
        law = _law_of(estimator, table.frame, request) if request.method == "dddm" else {}
    messages = echo_warnings(caught)
    curves, facts = model_facts(estimator)
    answers = GenerationAnswers(
        draws=draws, comparison=comparison, law=law, curves=curves, facts=facts
    )
    files = write_generation_run(
        answers,
        request.out,
        title=f"Rows like those of {Path(request.table).name}",
        config={"method": request.method, **draws.diagnostics.get("config", {})},
        data_summary=table.summary(),
        source=table.described(),
        left_out=table.left_out,
        warnings=messages,
    )
    estimator.save(request.out / "model")
    files["model"] = request.out / "model"
    if request.as_json:
        result = {
            "rows": request.rows,
            "auroc": comparison["auroc"],
            "columns": comparison["columns"],
            "diagnostics": {**draws.diagnostics, **facts},
            "warnings": messages,
            "files": {k: str(v) for k, v in files.items()},
        }
        typer.echo(json.dumps(plain_json(result)))
        return
    for sentence in generation_in_words(answers):
        typer.echo(sentence)
    typer.echo(f"generated rows: {files['generated']}")
    typer.echo(f"report: {files['report']}")
    sys.stdout.flush()


def _law_of(estimator: Any, frame: pd.DataFrame, request: TableRequest) -> dict[str, Any]:
    """Check the law on the rows that were not learned from, if there are some."""
    held = estimator.held_out_rows_
    if len(held) < 20:
        return {}
    learned = frame.drop(index=frame.index[held])
    rng = np.random.default_rng(request.seed)
    return plain_json(check_law(estimator, learned, frame.iloc[held], rng=rng)._asdict())
