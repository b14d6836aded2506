# Two commands do everything on a fresh machine: `make demo` and `make test`.
# They need Python 3.11 or newer, make, and a package index that pip can reach.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help install demo test lint run simulate bench lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: $(VENV)/run.stamp ## make the environment, in .venv

demo: $(VENV)/run.stamp ## the main job, start to end, with no API key
	$(BIN)/notifier demo

test: $(VENV)/dev.stamp lint ## every check: types, style, rules, processes
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/dev.stamp ## types and style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

run: $(VENV)/run.stamp ## the daemon, in the foreground
	$(BIN)/notifier run

simulate: $(VENV)/dev.stamp ## the whole daemon on virtual time: make simulate SEED=7 DAYS=30 TEMPO=calm
	$(BIN)/python -m tests.simulation $(or $(SEED),1) $(or $(DAYS),5) $(or $(TEMPO),calm)

bench: $(VENV)/dev.stamp ## speed and memory, as ratios against limits measured in the same run
	$(BIN)/python -m benchmarks

lock: $(VENV)/dev.stamp ## renew both lock files from pyproject.toml (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra build pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements-dev.lock

clean: ## remove what the commands above made
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/python.stamp:
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "notifier needs Python 3.11 or newer; say which: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	touch $@

# The package is linked in, so edits are seen at once; its build tools come from the lock as well.
PIP  = $(BIN)/python -m pip install -q --disable-pip-version-check
LINK = $(PIP) --no-deps --no-build-isolation -e .

$(VENV)/run.stamp: $(VENV)/python.stamp requirements.lock pyproject.toml
	$(PIP) --require-hashes -r requirements.lock
	$(LINK)
	touch $@

$(VENV)/dev.stamp: $(VENV)/python.stamp requirements-dev.lock pyproject.toml
	$(PIP) --require-hashes -r requirements-dev.lock
	$(LINK)
	touch $@ $(VENV)/run.stamp
