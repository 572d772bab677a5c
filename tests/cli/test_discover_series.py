"""`aetia discover --method rcgnn`: time series in, graph, filled table and report out."""

from __future__ import annotations

import json

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import yaml

from aetia.cli.main import main
from aetia.data import as_windows
from aetia.discovery import RCGNN
from aetia.results import GraphPosterior

FAST = ["--method", "rcgnn", "--set", "n_resamples=6", "--seed", "0", "--quiet"]
SENSORS = ["heat", "flow", "valve"]


def run(*words) -> int:
    return main([str(w) for w in words])


def simulated(seed: int, slope: float, n: int = 150) -> np.ndarray:
    """Let heat drive flow a step later, and flow drive valve within the step."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n, 3))
    for t in range(1, n):
        x[t, 0] = 0.5 * x[t - 1, 0] + rng.normal()
        x[t, 1] = slope * x[t - 1, 0] + rng.normal()
        x[t, 2] = 0.8 * x[t, 1] + rng.normal()
    return x


@pytest.fixture(scope="module")
def frame():
    """Two recordings of two sites, shuffled, with gaps and a column that is no sensor."""
    rng = np.random.default_rng(1)
    parts = []
    for k, (site, slope) in enumerate([("north", 1.6), ("south", 0.3)]):
        part = pd.DataFrame(simulated(k, slope), columns=SENSORS)
        part.insert(0, "when", pd.date_range("2024-03-01", periods=len(part), freq="h"))
        part.insert(1, "batch", f"b{k}")
        part["site"] = site
        parts.append(part)
    table = pd.concat(parts).sample(frac=1, random_state=0).reset_index(drop=True)
    hole = rng.random((len(table), 3)) < 0.1
    table[SENSORS] = table[SENSORS].mask(hole)
    table["operator"] = "someone"
    return table


@pytest.fixture(scope="module")
def done(frame, tmp_path_factory):
    """One run with everything on."""
    folder = tmp_path_factory.mktemp("series")
    table, truth, out = folder / "plant.csv", folder / "truth.csv", folder / "run"
    frame.to_csv(table, index=False)
    truth.write_text("source,target,lag\nheat,flow,1\nflow,valve,0\nheat,heat,1\n")
    roles = ["--time", "when", "--series", "batch", "--regime", "site", "--exclude", "operator"]
    assert run("discover", table, *roles, "--truth", truth, "--out", out, *FAST) == 0
    return table, roles, out


def test_the_folder_is_complete(done):
    names = {p.name for p in done[2].iterdir()}
    assert names == {
        "report.html", "posterior", "edges.csv", "graph.gml", "graph.dot", "imputed.csv",
        "regimes.csv", "sensors.csv", "spans.csv", "config.yaml", "summary.json",
    }  # fmt: skip


def test_the_known_edges_are_found_with_their_lags(done):
    edges = pd.read_csv(done[2] / "edges.csv")
    found = edges[edges["in_graph"] & (edges["source"] != edges["target"])]
    assert set(zip(found["source"], found["target"], found["lag"], strict=True)) >= {
        ("heat", "flow", 1),
        ("flow", "valve", 0),
    }
    assert edges["frequency"].between(0, 1).all()
    weight = found.set_index(["source", "target", "lag"])["weight"]["flow", "valve", 0]
    assert 0.6 < weight < 1.0
    graph = nx.read_gml(done[2] / "graph.gml")
    assert graph["heat"]["flow"]["lags"] == "1"
    assert graph["flow"]["valve"]["lags"] == "0"
    assert set(graph.nodes) == set(SENSORS)


def test_imputed_keeps_rows_columns_and_readings_and_has_no_gap(done, frame):
    filled = pd.read_csv(done[2] / "imputed.csv")
    assert list(filled.columns) == list(frame.columns)
    for name in ("batch", "site", "operator"):
        assert filled[name].tolist() == frame[name].tolist()
    assert pd.to_datetime(filled["when"]).tolist() == frame["when"].tolist()
    seen = frame[SENSORS].notna().to_numpy()
    np.testing.assert_array_equal(filled[SENSORS].to_numpy()[seen], frame[SENSORS].to_numpy()[seen])
    assert not filled[SENSORS].isna().any().any()
    assert (~seen).sum() > 0


def test_filled_cells_are_those_of_the_estimator_in_their_rows(done, frame):
    roles = {"time": "when", "series": "batch", "regime": "site"}
    fitted = RCGNN(n_resamples=6, random_state=0).fit(frame.drop(columns="operator"), **roles)
    filled = pd.read_csv(done[2] / "imputed.csv", parse_dates=["when"])
    windows = fitted.windows_
    row = int(np.flatnonzero(frame["flow"].isna())[5])
    w = windows.series_names.index(frame["batch"][row])
    hours = int((frame["when"][row] - frame["when"].min()) / pd.Timedelta("1h"))
    assert filled["flow"][row] == pytest.approx(fitted.imputed_[w, hours, 1])
    np.testing.assert_array_equal(fitted.imputed_sd_ > 0, ~windows.observed)


def test_regimes_tell_which_mechanism_differs_and_by_how_much(done):
    regimes = pd.read_csv(done[2] / "regimes.csv")
    assert set(regimes["regime"]) == {"north", "south"}
    changed = regimes[regimes["changed"]]
    assert set(changed["sensor"]) == {"flow"}
    moved = changed[changed["source"] == "heat"]
    assert moved["difference"].abs().iloc[0] == pytest.approx(1.3, abs=0.4)
    assert regimes["p_value"].between(0, 1).all()


def test_sensors_are_described(done, frame):
    sensors = pd.read_csv(done[2] / "sensors.csv").set_index("sensor")
    assert sensors["readings"].to_dict() == frame[SENSORS].notna().sum().to_dict()
    share = frame[SENSORS].notna().mean()
    np.testing.assert_allclose(sensors["share_observed"], share[sensors.index])


def test_the_saved_configuration_runs_again_to_the_same_graph(no_pictures, done, tmp_path, capsys):
    table, roles, out = done
    assert yaml.safe_load((out / "config.yaml").read_text())["n_resamples"] == 6
    again = ["--method", "rcgnn", "--config", out / "config.yaml", "--seed", 0, "--json"]
    assert run("discover", table, *roles, *again, "--quiet", "--out", tmp_path / "again") == 0
    printed = json.loads(capsys.readouterr().out)
    assert (tmp_path / "again" / "edges.csv").read_bytes() == (out / "edges.csv").read_bytes()
    assert {e["source"] for e in printed["edges"]} <= set(SENSORS)
    assert printed["gaps_left"] == 0
    assert printed["diagnostics"]["n_regimes"] == 2
    assert printed["regimes"][0]["difference"] is None or printed["regimes"][0]["changed"]
    posterior = GraphPosterior.load(printed["files"]["posterior"])
    assert posterior.lagged is not None


def test_without_a_time_column_rows_are_in_order_and_columns_can_be_chosen(
    no_pictures, tmp_path, capsys
):
    x = pd.DataFrame(simulated(3, 1.0), columns=SENSORS).assign(label="a", extra=1.0)
    x.to_csv(tmp_path / "t.csv", index=False)
    out = tmp_path / "run"
    words = ["--columns", "heat,flow", "--column", "valve", "--out", out, "--json", *FAST]
    assert run("discover", tmp_path / "t.csv", *words) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [s["sensor"] for s in printed["sensors"]] == SENSORS
    assert printed["regimes"] == []
    assert not (out / "regimes.csv").exists()
    assert list(pd.read_csv(out / "imputed.csv").columns) == list(x.columns)


def test_knowledge_is_obeyed_and_a_required_edge_listed(no_pictures, tmp_path):
    pd.DataFrame(simulated(3, 1.0), columns=SENSORS).to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "k.yaml").write_text("required: ['valve -> heat']\nforbidden: ['heat -> flow']\n")
    out = tmp_path / "run"
    words = ["--knowledge", tmp_path / "k.yaml", "--out", out, *FAST]
    assert run("discover", tmp_path / "t.csv", *words) == 0
    edges = pd.read_csv(out / "edges.csv")
    chosen = edges[edges["in_graph"]]
    pairs = set(zip(chosen["source"], chosen["target"], strict=True))
    assert ("valve", "heat") in pairs
    assert ("heat", "flow") not in pairs


def test_a_dry_run_checks_everything_and_writes_nothing(done, tmp_path, capsys):
    table, roles, _ = done
    out = tmp_path / "nothing"
    assert run("discover", table, *roles, "--dry-run", "--json", "--out", out, *FAST) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["sensors"] == SENSORS
    assert (facts["recordings"], facts["regimes"]) == (2, ["north", "south"])
    assert facts["estimated_seconds"] is None
    assert not out.exists()
    assert run("discover", table, *roles[2:], "--dry-run", "--out", out, *FAST) == 2
    assert "pass time='when'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--method", "exact", "--time", "when"], "--time 'when': exact takes rows as independent"),
        (["--method", "dibs", "--series", "batch"], "--method rcgnn for time series"),
        (["--method", "dibs", "--regime", "site"], "--exclude site"),
        ([*FAST, "--intervened", "site"], "--regime COLUMN"),
        ([*FAST, "--effect", "heat -> flow"], "no posterior of effects"),
        ([*FAST, "--likelihood", "bge"], "backend=neural"),
        ([*FAST, "--time", "wen"], "no column 'wen'. Did you mean 'when'"),
        ([*FAST, "--time", "when", "--exclude", "when"], "both name the column 'when'"),
        ([*FAST, "--set", "n_lag=2"], "Did you mean 'n_lags'"),
        ([*FAST, "--set", "n_lags=0"], "n_lags"),
    ],
)
def test_what_does_not_fit_is_said_before_anything_runs(done, tmp_path, capsys, words, message):
    out = tmp_path / "nothing"
    assert run("discover", done[0], *words, "--out", out) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("from,to\nheat,flow\n", "columns source and target"),
        ("source,target\nheat,flwo\n", "Did you mean 'flow'"),
        ("source,target,lag\nheat,flow,soon\n", "row 0 has the lag 'soon'"),
        ("source,target,lag\nheat,flow,1\nflow,valve,-1\n", "row 1 has the lag -1"),
    ],
)
def test_a_truth_that_cannot_be_read_is_refused(done, tmp_path, capsys, text, message):
    table, roles, _ = done
    (tmp_path / "truth.csv").write_text(text)
    words = ["--truth", tmp_path / "truth.csv", "--out", tmp_path / "no", *FAST]
    assert run("discover", table, *roles, *words) == 2
    assert message in capsys.readouterr().err


def test_the_bundled_series_runs(no_pictures, tmp_path, capsys):
    pytest.importorskip("statsmodels")
    assert run("discover", "macro", "--time", "year", "--out", tmp_path / "m", *FAST) == 0
    edges = pd.read_csv(tmp_path / "m" / "edges.csv")
    chosen = edges[edges["in_graph"]]
    # Spending is a part of the product, by definition of the national accounts.
    assert {("consumption", "gdp"), ("investment", "gdp")} <= set(
        zip(chosen["source"], chosen["target"], strict=True)
    )


def test_rows_after_the_last_whole_block_are_used_too():
    """Of 41 rows in blocks of 20, one row would be left over: too short for a block of its own."""
    x = simulated(0, 1.0, n=41 * 4).reshape(4, 41, 3)
    x[:, -1, 0] = np.nan
    fitted = RCGNN(n_resamples=2, block_length=20, random_state=0).fit(x)
    assert fitted.posterior_.diagnostics["n_rows"] == 41 * 4
    assert not np.isnan(fitted.imputed_).any()
    assert as_windows(x).length == 41
