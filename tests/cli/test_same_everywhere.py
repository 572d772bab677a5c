"""What every verb does in the same way: options, files of options, JSON, verdicts, folders."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest
import typer
import yaml

from aetia.cli import options as shared
from aetia.cli.app import app
from aetia.cli.main import main
from aetia.cli.method_options import read_method
from aetia.cli.option_texts import known_options, methods_by_verb
from aetia.cli.request import Request
from aetia.cli.verbs.diffusion import flags_of
from aetia.likelihoods import LIKELIHOODS
from aetia.options import nearest, options_dict

FEW = {
    "exact": [],
    "order-mcmc": ["max_seconds=20", "n_chains=2"],
    "dibs": ["n_steps=30", "n_particles=4", "n_likelihood_graphs=4", "n_acyclicity_graphs=2"],
    "avici": [],
    "bcnp": [],
    "rcgnn": ["n_resamples=2"],
    "causalbgm": ["n_egm_steps=20", "n_draws=20", "n_replicates=1"],
    "identifiable": ["n_egm_steps=20", "n_draws=20", "n_replicates=1", "auxiliary=random"],
    "full-mcmc": ["n_egm_steps=20", "n_draws=20", "n_replicates=1", "n_warmup=20"],
    "bgm": ["n_steps=20", "n_warmup=10", "n_starts=20"],
    "dddm": ["n_training_steps=10", "hidden_units=[16,16]"],
}
"""Settings with which a method says nothing, quickly."""

METHODS = {name: entry for known in methods_by_verb().values() for name, entry in known.items()}
STUDY = ["--treatment", "drug", "--outcome", "health"]


def run(*words) -> int:
    return main([str(w) for w in words])


def few(method: str) -> list[str]:
    return ["--method", method, *(w for s in FEW[method] for w in ("--set", s)), "--quiet"]


def strictly(text: str):
    """Read JSON as every reader does: NaN is none."""

    def refuse(word):
        raise AssertionError(f"a bare {word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Numbers, arms, and a column of each kind that one wants to leave out."""
    rng = np.random.default_rng(0)
    age, drug = rng.normal(size=80), rng.integers(0, 2, 80)
    frame = pd.DataFrame(
        {
            "age": age,
            "drug": drug,
            "health": age + drug + rng.normal(size=80),
            "note": rng.normal(size=80),
            "ward": rng.normal(size=80),
        }
    )
    path = tmp_path_factory.mktemp("same") / "table.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def holes(table):
    frame = pd.read_csv(table)
    frame.loc[::9, "age"] = np.nan
    path = table.with_name("holes.csv")
    frame.to_csv(path, index=False)
    return path


def asking(verb: str, table, holes) -> list:
    """Ask a verb for something small, with its usual method."""
    return {
        "discover": ["discover", table, *few("exact")],
        "recordings": ["discover", table, *few("rcgnn")],
        "effect": ["effect", table, *STUDY, *few("causalbgm")],
        "impute": ["impute", holes, "--n-draws", 5, "--check-share", 0, *few("bgm")],
        "generate": ["generate", table, "--rows", 20, *few("bgm")],
        "corrupt": ["corrupt", table, "--preset", "mild"],
        "simulate": ["simulate", "-d", 3, "-n", 30, "--edges-per-node", 0.5],
        "toy": [
            *("diffusion", "toy", "--epochs", 2, "--batch", 8, "--m", 2, "--steps", 1),
            *("--eval-samples", 20, "--quiet"),
        ],
    }[verb]


FITTING = ("discover", "recordings", "effect", "impute", "generate")
VERBS = (*FITTING, "corrupt", "simulate", "toy")


# -- files of options ---------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_all_options_of_a_method_come_back_from_a_file(name, tmp_path):
    config = METHODS[name][1]()
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({"method": name, **options_dict(config)}))
    asked = Request(method=None, config=file, settings=None)
    method = read_method(asked, METHODS, "none")
    assert method.name == name
    assert method.config(**method.options) == config


@pytest.mark.parametrize("name", METHODS)
def test_the_config_of_a_run_is_accepted_by_the_verb_that_wrote_it(name, table, tmp_path, capsys):
    verb, *more = {
        "discover": ["discover"],
        "effect": ["effect", *STUDY],
        "impute, generate": ["generate", "--rows", 20],
    }[next(v for v, known in methods_by_verb().items() if name in known)]
    out = tmp_path / "run"
    assert run(verb, table, *more, *few(name), "--seed", 1, "--out", out) == 0
    written = yaml.safe_load((out / "config.yaml").read_text())
    assert written["method"] == name
    method = read_method(
        Request(method=None, config=out / "config.yaml", settings=None), METHODS, "none"
    )
    assert method.name == name
    for setting in FEW[name]:
        option, _, value = setting.partition("=")
        assert list(np.atleast_1d(method.options[option])) == list(
            np.atleast_1d(yaml.safe_load(value))
        )
    assert strictly((out / "summary.json").read_text())["facts"]["method"] == name


@pytest.mark.parametrize("verb", ["discover", "effect", "impute", "generate"])
def test_a_file_decides_the_method_unless_another_one_is_asked_for(
    verb, table, holes, tmp_path, capsys
):
    name = {"discover": "dibs", "effect": "full-mcmc"}.get(verb, "dddm")
    file = tmp_path / "options.yaml"
    file.write_text(f"method: {name}\n" + "\n".join(FEW[name]).replace("=", ": ") + "\n")
    words = [verb, holes if verb == "impute" else table, *(STUDY if verb == "effect" else [])]
    more = ["--config", file, "--dry-run", "--out", tmp_path / "run"]
    assert run(*words, *more) == 0
    assert f"would run {name} on" in capsys.readouterr().out
    other = {"discover": "exact", "effect": "causalbgm"}.get(verb, "bgm")
    assert run(*words, *more, "--method", other) == 2
    assert f"holds options of '{name}', but --method is '{other}'" in capsys.readouterr().err


def test_files_of_earlier_versions_name_the_class(tmp_path):
    (tmp_path / "c.yaml").write_text("method: exactposterior\nmin_ess: 100\n")
    asked = Request(method="exact", config=tmp_path / "c.yaml", settings=None)
    assert read_method(asked, METHODS, "none").options == {"min_ess": 100}


def test_the_toy_takes_its_own_files(tmp_path, capsys):
    out = tmp_path / "run"
    assert run(*asking("toy", "", ""), "--out", out) == 0
    for file in ("config.yaml", "config.json"):
        words = ["diffusion", "toy", "--config", out / file, "--out", tmp_path / file, "--quiet"]
        assert run(*words) == 0
        assert (tmp_path / file / "gen.png").read_bytes() == (out / "gen.png").read_bytes()


# -- options --------------------------------------------------------------------------------


def options_of(verb: str) -> dict[str, typer.core.TyperOption]:
    command = typer.main.get_command(app)
    for word in verb.split():
        command = command.commands[word]
    return {flag: p for p in command.params for flag in (*p.opts, *p.secondary_opts)}


def test_verbs_share_their_options():
    common = {"--out", "--seed", "--json", "--force"}
    fitting = {*common, "--mute", "--progress", "--no-progress", "--quiet"}
    asking = {*fitting, "--config", "--set", "--dry-run", "--method"}
    expected = {
        **{key: {*asking, "--exclude"} for key in ("discover", "effect", "impute", "generate")},
        "demo": fitting,
        "simulate": common,
        "corrupt": {*common, "--exclude", "--config", "--set", "--truth"},
        **{key: {*fitting, "--config"} for key in ("diffusion toy", "diffusion images")},
    }
    for verb, flags in expected.items():
        assert flags <= set(options_of(verb)), verb
    for flag in ("--exclude", "--force", "--json", "--mute", "--dry-run", "--progress"):
        texts = {v: options_of(v)[flag].help for v in expected if flag in options_of(v)}
        assert len({t for v, t in texts.items() if v != "corrupt"}) == 1, flag


@pytest.mark.parametrize("verb", ["discover", "recordings", "effect", "impute", "generate"])
def test_exclude_takes_several_columns_with_commas(verb, table, holes, tmp_path, capsys):
    words = [*asking(verb, table, holes), "--dry-run", "--json", "--out", tmp_path / "run"]
    assert run(*words, "--exclude", "note, ward") == 0
    facts = strictly(capsys.readouterr().out)
    used = facts.get("columns") or facts.get("sensors") or facts.get("covariates")
    assert not {"note", "ward"} & set(used)
    assert "age" in used
    assert run(*words, "--exclude", "note,wart") == 2
    assert "--exclude: no column 'wart'. Did you mean 'ward'?" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["discover", "recordings", "corrupt"])
def test_truth_has_one_form_with_or_without_lags(verb, table, holes, tmp_path, capsys):
    words = [*asking(verb, table, holes), "--truth", tmp_path / "t.csv", "--out", tmp_path / "run"]
    for text, message in {
        "from,to\n": "needs the columns source and target (and perhaps lag), found from, to",
        "source,target\nage,wart\n": "--truth: no column 'wart'. Did you mean 'ward'?",
        "source,target,lag\nage,ward,-1\n": "row 0 has the lag -1",
    }.items():
        (tmp_path / "t.csv").write_text(text)
        assert run(*words) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "run").exists()
    (tmp_path / "t.csv").write_text("source,target,lag\nage,age,1\nage,ward,0\n")
    assert run(*words) == 0


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["discover", "TABLE", "--method", "Exact"], "exact"),
        (["discover", "TABLE", "--method", "exact", "--likelihood", "BGE"], "bge"),
        (["discover", "TABLE", "--method", "dibs", "--set", "acyclicity=POWER"], "power"),
        (["effect", "TABLE", *STUDY, "--method", "CausalBGM"], "causalbgm"),
        (["generate", "TABLE", "--method", "DDDM"], "dddm"),
        (["impute", "HOLES", "--fill", "MEAN"], "mean"),
        (["impute", "HOLES", "--missingness", "MNAR"], "mnar"),
        (["corrupt", "TABLE", "--preset", "Moderate"], "moderate"),
        (["simulate", "--study", "Hahn"], "hahn"),
        (["simulate", "--graph", "Scale-Free"], "scale-free"),
        (["simulate", "--noise", "Gaussian"], "gaussian"),
        (["config", "DiBS"], "dibs"),
        (["discover", "TABLE", "--mute", "AE04"], "AE004"),
        (["discover", "Diabetes"], "diabetes"),
    ],
)
def test_unknown_values_get_the_nearest_name_whatever_the_case(
    words, meant, table, holes, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert run(*({"TABLE": table, "HOLES": holes}.get(w, w) for w in words)) == 2
    assert f"Did you mean '{meant}'" in capsys.readouterr().err


def test_the_nearest_name_is_the_one_as_it_is_written():
    assert nearest("BETA", ["beta", "Beta"]) == " Did you mean 'beta'?"
    assert nearest("xyz", ["beta"]) == ""


def test_options_of_graphs_are_refused_for_studies(tmp_path, capsys):
    words = ["simulate", "--study", "hahn", "--noise-variance", 1, "--out", tmp_path / "s"]
    assert run(*words) == 2
    assert "--noise-variance is of simulated graphs" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["prior", "categorical"])
def test_options_that_time_series_have_no_use_for_are_refused(option, table, tmp_path, capsys):
    words = ["discover", table, *few("rcgnn"), f"--{option}", "age", "--out", tmp_path / "r"]
    assert run(*words) == 2
    assert f"--{option} 'age': rcgnn" in capsys.readouterr().err


# -- results --------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
def test_json_is_strict_on_stdout_and_in_files(verb, table, holes, tmp_path, capsys):
    out = tmp_path / "run"
    assert run(*asking(verb, table, holes), "--seed", 3, "--json", "--out", out) == 0
    printed = strictly(capsys.readouterr().out)
    for file in out.rglob("*.json"):
        strictly(file.read_text())
    if verb in (*FITTING, "toy"):
        assert printed["facts"]["seed"] == "3" or printed["facts"]["seed"] is None
        assert printed["facts"]["seconds"] > 0
        assert {"code", "title", "verdict", "text"} <= set(printed["checks"][0])
        assert set(printed["files"]) >= {"config", "summary", "report"}
        assert printed["warnings"] == strictly((out / "summary.json").read_text())["warnings"]


def test_a_table_without_any_path_has_no_sortability(tmp_path, capsys):
    for seed in range(20):
        words = ["simulate", "-d", 2, "-n", 20, "--edges-per-node", 0.1, "--seed", seed]
        assert run(*words, "--json", "--force", "--out", tmp_path) == 0
        facts = strictly(capsys.readouterr().out)
        if facts["edges"] == 0:
            break
    assert facts["varsortability"] is None


@pytest.mark.parametrize("verb", [*FITTING, "toy"])
def test_checks_that_are_not_good_are_printed_and_can_be_muted(
    verb, table, holes, tmp_path, capsys
):
    words = [*asking(verb, table, holes), "--seed", 0]
    assert run(*words, "--json", "--out", tmp_path / "json") == 0
    checks = strictly(capsys.readouterr().out)["checks"]
    assert run(*words, "--out", tmp_path / "lines") == 0
    lines = capsys.readouterr().out.splitlines()
    printed = [line.split()[:2] for line in lines if re.match(r"(look|bad) A[A-Z]\d+ ", line)]
    assert printed == [[c["verdict"], c["code"]] for c in checks if c["verdict"] != "good"]
    assert lines[-1] == f"report: {tmp_path / 'lines' / 'report.html'}"
    codes = sorted({c["code"] for c in checks})
    muted = ["--mute", ",".join(codes[1:]).lower(), "--mute", codes[0]]
    assert run(*words, "--json", *muted, "--out", tmp_path / "muted") == 0
    assert strictly(capsys.readouterr().out)["checks"] == []
    page = (tmp_path / "muted" / "report.html").read_text()
    assert not any(f">{code}<" in page for code in codes)


@pytest.mark.parametrize("verb", VERBS)
def test_a_run_is_replaced_with_force_alone_and_nothing_of_it_stays(
    verb, table, holes, tmp_path, capsys
):
    out = tmp_path / "run"
    words = [*asking(verb, table, holes), "--seed", 0, "--out", out]
    assert run(*words, *(["--effect", "age -> health"] if verb == "discover" else [])) == 0
    first = {p.name for p in out.iterdir()}
    (out / "mine.txt").write_text("precious")
    capsys.readouterr()
    assert run(*words) == 2
    assert "--force to replace" in capsys.readouterr().err
    assert {p.name for p in out.iterdir()} == {*first, "mine.txt"}
    assert run(*words, "--force") == 0
    left = {"effect-0"} if verb == "discover" else set()
    assert {p.name for p in out.iterdir()} == (first - left) | {"mine.txt"}
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_images_go_on_with_resume_and_begin_again_with_force(tmp_path, capsys):
    out = tmp_path / "run"
    small = ["--image-size", 8, "--patch-size", 4, "--embed-dim", 16, "--depth", 1, "--heads", 2]
    words = ["diffusion", "images", "--fake-data", 16, "--batch", 8, "--m", 2, *small]
    words += ["--time-embed", 8, "--sample-batch", 2, "--sample-steps", 1, "--quiet", "--out", out]
    assert run(*words, "--epochs", 1) == 0
    assert run(*words, "--epochs", 2) == 2
    assert run(*words, "--epochs", 2, "--resume") == 0
    assert {p.name for p in out.glob("model_epoch*.pt")} == {
        "model_epoch001.pt",
        "model_epoch002.pt",
    }
    assert run(*words, "--epochs", 1, "--force") == 0
    assert {p.name for p in out.glob("model_epoch*.pt")} == {"model_epoch001.pt"}
    bad = ["--data-dir", tmp_path / "nowhere", "--force", "--quiet", "--out", out]
    assert run("diffusion", "images", *bad) == 2
    assert (out / "report.html").is_file()  # a mistake costs nothing


# -- nothing is read twice ------------------------------------------------------------------


@pytest.mark.parametrize("verb", FITTING)
def test_table_and_options_are_read_once(verb, table, holes, tmp_path, monkeypatch, capsys):
    read, seen = pd.read_csv, []

    def counting(file, *args, **options):
        seen.append(str(file))
        return read(file, *args, **options)

    load, loaded = yaml.safe_load, []
    monkeypatch.setattr(pd, "read_csv", counting)
    monkeypatch.setattr(yaml, "safe_load", lambda text: loaded.append(text) or load(text))
    file = tmp_path / "options.yaml"
    file.write_text("# mine\n")
    words = [*asking(verb, table, holes), "--config", file, "--out", tmp_path / "run"]
    assert run(*words) == 0
    assert seen.count(str(holes if verb == "impute" else table)) == 1
    assert loaded.count("# mine\n") == 1


def test_the_table_is_read_once_where_it_chooses_the_method(table, tmp_path, monkeypatch, capsys):
    from aetia.cli import discovering

    read, seen = discovering.read_frame, []
    monkeypatch.setattr(discovering, "read_frame", lambda f: seen.append(f) or read(f))
    assert run("discover", table, "--out", tmp_path / "run") == 0
    assert seen == [str(table)]
    assert "method: exact (5 columns" in capsys.readouterr().out


def test_a_study_is_encoded_once(table, tmp_path, monkeypatch, capsys):
    from aetia.data import Encoding

    of, seen = Encoding.of, []
    monkeypatch.setattr(Encoding, "of", lambda data: seen.append(data) or of(data))
    assert run(*asking("effect", table, table), "--out", tmp_path / "run") == 0
    assert len(seen) == 1


# -- dry runs, reports, options in words ---------------------------------------------------------


@pytest.mark.parametrize("n_columns", [4, 10])
def test_a_dry_run_of_exact_says_how_long_and_how_sure(n_columns, tmp_path, capsys):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(60, n_columns)))
    frame.to_csv(tmp_path / "t.csv", index=False)
    words = ["discover", tmp_path / "t.csv", "--method", "exact", "--dry-run"]
    assert run(*words) == 0
    how_sure = "as it just took" if n_columns == 4 else "or three times as long"
    assert how_sure in capsys.readouterr().out
    assert run(*words, "--json") == 0
    assert strictly(capsys.readouterr().out)["estimated_seconds"] > 0


def test_a_folder_without_a_run_has_no_report(tmp_path, capsys):
    assert run("report", tmp_path) == 2
    assert str(tmp_path) in capsys.readouterr().err


def test_names_in_the_help_are_those_of_the_registries():
    from aetia.benchmark import EXPERIMENTS
    from aetia.graphs.structure_priors import STRUCTURE_PRIORS
    from aetia.scm.effect_designs import EFFECT_DESIGNS

    by_verb = methods_by_verb()
    assert tuple(by_verb["discover"]) == shared.DISCOVERY_METHODS
    assert tuple(by_verb["effect"]) == shared.EFFECT_METHODS
    assert tuple(by_verb["impute, generate"]) == shared.TABLE_METHODS
    assert set(shared.LIKELIHOODS) == set(LIKELIHOODS)
    assert set(shared.PRIORS) == set(STRUCTURE_PRIORS)
    assert set(shared.STUDIES) == set(EFFECT_DESIGNS)
    assert set(shared.EXPERIMENTS) == set(known_options()) - set(METHODS)
    models = {n.removeprefix("experiment-") for n in shared.EXPERIMENTS if n.startswith("exp")}
    assert models == set(EXPERIMENTS)


@pytest.mark.parametrize("name", ["ToyExperiment", "ImageExperiment"])
def test_flags_are_the_fields_of_an_experiment(name):
    from dataclasses import fields

    from aetia.generation.diffusion import experiments

    assert list(flags_of(name)) == [f.name for f in fields(getattr(experiments, name))]


@pytest.mark.parametrize("name", shared.EXPERIMENTS + tuple(METHODS))
def test_all_options_are_printed_with_their_values(name, capsys):
    assert run("config", name) == 0
    text = capsys.readouterr().out
    printed = yaml.safe_load(text)
    assert set(options_dict(known_options()[name])) <= {*printed, "name"}
    assert text.startswith(f"# Options of {name}; aetia ")


@pytest.mark.parametrize("name", METHODS)
def test_the_printed_options_are_read_again(name, tmp_path, capsys):
    assert run("config", name) == 0
    file = tmp_path / "options.yaml"
    file.write_text(capsys.readouterr().out)
    method = read_method(Request(method=None, config=file, settings=None), METHODS, "none")
    assert (method.name, method.config(**method.options)) == (name, METHODS[name][1]())


def test_config_without_a_name_lists_all_of_them(capsys):
    assert run("config") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(known_options())


def every_option():
    command = typer.main.get_command(app)
    verbs = {**command.commands, **command.commands["diffusion"].commands}
    for verb, entry in verbs.items():
        for parameter in entry.params:
            if parameter.name != "help" and verb not in ("experiment",):
                yield pytest.param(parameter, id=f"{verb}-{parameter.name}")


@pytest.mark.parametrize("parameter", every_option())
def test_every_option_is_explained_in_full_sentences(parameter):
    text = parameter.help or ""
    assert text.endswith("."), text
    assert text[0].isupper() or text.split()[0] in text, text
    assert len(text.split()) >= 4, text
    assert not re.match(r"(Of|From|For|With|In) ", text), text
