# `make demo` and `make test` are all a new user needs: each makes the environment if it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Two processes, one thread each; neighbours in a file share their fitted models, and whoever ends
# first takes over the rest of the other's. Compiled modules are kept: every test of a process of
# its own would compile them again.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -q

.PHONY: demo test test-all check statistical coverage format clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("aetia needs Python 3.11 or newer; run: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $(READY)

demo: $(READY)  ## discover causes in a bundled real table, write demo-run/report.html
	$(BIN)/aetia demo --out demo-run --force

test: $(READY)  ## the quick suite: unit, property, contract and golden tests, doctests, examples
	$(PYTEST) -m "not statistical"

test-all: test statistical  ## both suites

check: $(READY)  ## format, lint, types, import contracts, docstrings, dead code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache
	$(BIN)/pydoclint --quiet src
	$(BIN)/vulture

statistical: $(READY)  ## Monte Carlo checks; every test states its false-alarm rate
	$(PYTEST) -m statistical tests/statistical

coverage: $(READY)  ## branch coverage of the quick suite, also in processes that it starts
	$(BIN)/python -m coverage erase
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m coverage run -m pytest -n 2 --dist worksteal -q -m "not statistical"
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --skip-covered --sort=cover

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) demo-run build dist .coverage* .pytest_cache .ruff_cache .hypothesis
