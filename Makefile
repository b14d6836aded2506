# Two commands do everything on a fresh machine: `make demo` and `make test`.
# They need Python 3.11 or newer, make, and a package index that pip can reach.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PEERS  := .venv-peers
NODE   := tests/node/node_modules

.PHONY: help install demo test test-browser test-systemd screenshots lint simulate faults kill soak golden docs run bench bench-peers man dist lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

install: $(VENV)/run.stamp ## make the environment, in .venv

demo: $(VENV)/run.stamp ## the main job, start to end, with no API key
	$(BIN)/notifier demo

test: $(VENV)/dev.stamp $(NODE)/node.stamp lint ## every check: types, style, rules, processes
	$(BIN)/python -m pytest -n auto -rs # what was skipped, and why, stands at the end

test-browser: $(VENV)/dev.stamp ## the page in a real browser: part of test where there is a Chromium
	$(BIN)/python -m pytest -n 2 -rs tests/browser

screenshots: $(VENV)/dev.stamp ## take the pictures of the page in docs/page anew (some three minutes; needs a Chromium)
	$(BIN)/python -m tests.browser.screenshots

test-systemd: $(VENV)/dev.stamp ## the service under a running systemd of its own (as root, on Linux)
	$(BIN)/python -m tests.systemd

lint: $(VENV)/dev.stamp ## types and style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

faults: $(VENV)/dev.stamp ## the disk fails at every call, the power goes at 1200 (minutes; needs cc)
	$(BIN)/python -m tests.disk

kill: $(VENV)/dev.stamp ## kill -9 under load, CYCLES times (300: some ten minutes)
	$(BIN)/python -m tests.e2e.kills $(or $(CYCLES),300)

soak: $(VENV)/dev.stamp ## mixed load and faults for MINUTES (60), watched for drift
	$(BIN)/python -m tests.soak $(or $(MINUTES),60)

golden: $(VENV)/dev.stamp ## write the golden copies in tests/golden anew, after a change of the outside that is meant
	NOTIFIER_WRITE_GOLDEN=1 $(BIN)/python -m pytest -q -p no:randomly tests/*/test_golden.py

docs: $(VENV)/dev.stamp ## write docs/FAULTS.md anew
	$(BIN)/python -m tests.faults_page

run: $(VENV)/run.stamp ## the daemon, in the foreground
	$(BIN)/notifier run

simulate: $(VENV)/dev.stamp ## the whole daemon on virtual time: make simulate SEED=7 DAYS=30 TEMPO=calm
	$(BIN)/python -m tests.simulation $(or $(SEED),1) $(or $(DAYS),5) $(or $(TEMPO),calm)

bench: $(VENV)/dev.stamp ## speed and memory, as ratios against limits measured in the same run
	$(BIN)/python -m benchmarks

bench-peers: $(VENV)/dev.stamp $(PEERS)/peers.stamp ## the same job done by what one would use instead; from then on part of bench
	$(BIN)/python -m benchmarks --only peers --only scaling-peers

man: $(VENV)/dev.stamp ## make man/notifier.1 anew, after the commands' help has changed
	$(BIN)/python -m tools.manpage > man/notifier.1

dist: $(VENV)/dev.stamp ## the source archive and the wheel, in dist/, with the locked build tools
	$(BIN)/hatchling build

lock: $(VENV)/dev.stamp ## renew both lock files from pyproject.toml (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra build pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements-dev.lock

clean: ## remove what the commands above made
	rm -rf $(VENV) $(PEERS) $(NODE) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis

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

# Express and npm's verifier are for some ten tests; where they cannot be had, these say so and are skipped.
$(NODE)/node.stamp: tests/node/package-lock.json
	mkdir -p $(NODE)
	if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund --prefix tests/node || echo "npm: no packages; tests in JavaScript are skipped"; else echo "no npm: tests in JavaScript are skipped"; fi
	mkdir -p $(NODE) && touch $@

$(PEERS)/peers.stamp: benchmarks/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install -q --disable-pip-version-check -r $<
	touch $@
