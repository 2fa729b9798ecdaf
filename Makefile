# Two commands: `make demo` and `make test`. Both make .venv themselves; only python3 (>= 3.11) and make are needed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
# Two workers measure best on two cores; every worker imports PyTorch, so more only helps with more cores.
WORKERS ?= 2

.PHONY: demo test check lint types docs format clean help

help:
	@echo "make demo    install into .venv and run the demo on OpenMoji"
	@echo "make test    run the tests"
	@echo "make check   lint, format, types, tests, doctests, README code"
	@echo "make format  let ruff format and sort"
	@echo "make clean   remove .venv, caches and what the demo wrote"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is older than Python 3.11; name another one: make PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 2; }

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(VENV)/.installed
	$(BIN)/facetwise demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -n $(WORKERS)

check: lint types test docs

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy --strict src

docs: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -n 0 --doctest-modules src
	$(BIN)/python tests/run_readme.py README.md docs/python.md

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf facetwise-demo
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
