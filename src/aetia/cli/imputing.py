"""The verb ``impute``."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import typer

from aetia.cli.messages import echo_warnings
from aetia.cli.table_models import TableRequest, dry_run, make_model, read_table
from aetia.cli.tables import public_table
from aetia.errors import InputError
from aetia.files import plain_json
from aetia.generation.held_out import check_imputation
from aetia.report import (
    ImputationAnswers,
    check_writable,
    complete_cells,
    imputation_in_words,
    model_facts,
    read_cells,
    write_imputation_run,
)

__all__ = ["run_impute"]


def run_impute(request: TableRequest) -> None:
    """Impute the missing cells of a table and write the run folder.

    Args:
        request: What the user asked for.

    Raises:
        InputError: If the request cannot be answered.
    """
    estimator = make_model(request)
    _check(request)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        table = read_table(request)
        if not np.isnan(table.rows.values).any():
            raise InputError(
                "no cell is missing in the columns that are used; there is nothing to impute."
            )
        if request.dry_run:
            dry_run(request, estimator, table, 2 if request.check_share else 1)
            echo_warnings(caught)
            return
        check_writable(request.out, force=request.force)
        estimator.fit(table.frame)
        draws = estimator.impute(n_draws=request.n_draws)
        hidden = {}
        if request.check_share:
            rng = np.random.default_rng(request.seed)
            hidden = check_imputation(
                estimator,
                table.rows,
                table.frame,
                share=request.check_share,
                n_draws=min(request.n_draws, 100),
                rng=rng,
            )._asdict()
    messages = echo_warnings(caught)
    curves, facts = model_facts(estimator)
    answers = ImputationAnswers(
        draws=draws, level=request.level, hidden=plain_json(hidden), curves=curves, facts=facts
    )
    cells = None if public_table(request.table) is not None else read_cells(request.table)
    fill: Any = request.fill
    files = write_imputation_run(
        answers,
        request.out,
        completed=complete_cells(draws, cells, fill=fill),
        title=f"Missing values in {Path(request.table).name}",
        config={"method": request.method, **draws.diagnostics.get("config", {})},
        data_summary=table.summary(),
        source=table.described(),
        left_out=table.left_out,
        warnings=messages,
    )
    estimator.save(request.out / "model")
    files["model"] = request.out / "model"
    _print_result(request, answers, messages, files)


def _check(request: TableRequest) -> None:
    if request.fill not in ("mean", "draw"):
        raise InputError(f"--fill takes mean or draw, got {request.fill!r}.")
    if not 0.0 <= request.check_share <= 0.5:
        raise InputError(
            f"--check-share must lie between 0 (no check) and 0.5, got {request.check_share!r}."
        )
    if request.n_draws < 1:
        raise InputError(f"--n-draws must be at least 1, got {request.n_draws!r}.")


def _print_result(
    request: TableRequest,
    answers: ImputationAnswers,
    messages: list[str],
    files: dict[str, Path],
) -> None:
    if request.as_json:
        facts = {
            "n_cells": answers.draws.n_cells,
            "n_draws": answers.draws.n_draws,
            "check": answers.hidden,
            "diagnostics": dict(answers.draws.diagnostics),
            "warnings": messages,
            "files": {k: str(v) for k, v in files.items()},
        }
        typer.echo(json.dumps(plain_json(facts)))
        return
    for sentence in imputation_in_words(answers):
        typer.echo(sentence)
    typer.echo(f"completed table: {files['completed']}")
    typer.echo(f"report: {files['report']}")
    sys.stdout.flush()
