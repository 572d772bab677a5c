# `make demo` and `make test` are all a new user needs: each makes the environment if it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check statistical format bench clean

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("aetia needs Python 3.11 or newer; run: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $(READY)

demo: $(READY)  ## discover causes in a bundled real table, write demo-run/report.html
	$(BIN)/aetia demo --out demo-run --force

test: $(READY)  ## the quick suite: unit, property, contract and golden tests, doctests, examples
	$(BIN)/python -m pytest -n 2 -m "not statistical" -q

check: $(READY)  ## format, lint, types, import contracts, docstrings, dead code
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports --no-cache
	$(BIN)/pydoclint --quiet src
	$(BIN)/vulture

statistical: $(READY)  ## Monte Carlo checks; every test states its false-alarm rate
	$(BIN)/python -m pytest -n 2 -m statistical -q tests/statistical

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) demo-run build dist .pytest_cache .ruff_cache .hypothesis
