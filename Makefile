# On a fresh machine `make demo` and `make test` set up everything that they need.
# They require Python 3.11 or newer, make, and a package index that pip can reach.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PEERS  := .venv-peers
NODE   := tests/node/node_modules

.PHONY: help install demo test test-browser test-systemd screenshots lint simulate faults kill soak golden docs run bench bench-peers man dist lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

install: $(VENV)/run.stamp ## create the environment in .venv

demo: $(VENV)/run.stamp ## run the demo: provider, daemon and receiver, without an API key
	$(BIN)/notifier demo

test: $(VENV)/dev.stamp $(NODE)/node.stamp lint ## run every check: types, style, rules, processes
	$(BIN)/python -m pytest -n auto -rs # -rs lists what was skipped, and why

test-browser: $(VENV)/dev.stamp ## test the page in a browser; part of test if there is a Chromium
	$(BIN)/python -m pytest -n 2 -rs tests/browser

screenshots: $(VENV)/dev.stamp ## take the screenshots in docs/page again (about three minutes; needs a Chromium)
	$(BIN)/python -m tests.browser.screenshots

test-systemd: $(VENV)/dev.stamp ## test the service in a systemd of its own (as root, on Linux)
	$(BIN)/python -m tests.systemd

lint: $(VENV)/dev.stamp ## check types and style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

faults: $(VENV)/dev.stamp ## make the disk fail at every call and cut the power 1200 times (minutes; needs cc)
	$(BIN)/python -m tests.disk

kill: $(VENV)/dev.stamp ## send kill -9 under load, CYCLES times (300: about ten minutes)
	$(BIN)/python -m tests.e2e.kills $(or $(CYCLES),300)

soak: $(VENV)/dev.stamp ## run mixed load with failures for MINUTES (60) and look for drift
	$(BIN)/python -m tests.soak $(or $(MINUTES),60)

golden: $(VENV)/dev.stamp ## write tests/golden again, after an intended change of the outside
	NOTIFIER_WRITE_GOLDEN=1 $(BIN)/python -m pytest -q -p no:randomly tests/*/test_golden.py

docs: $(VENV)/dev.stamp ## write the generated pages of docs/ again
	$(BIN)/python -m tests.faults_page
	$(BIN)/python -m tests.configuration
	$(BIN)/python -m tests.providers_page

run: $(VENV)/run.stamp ## run the daemon in the foreground
	$(BIN)/notifier run

simulate: $(VENV)/dev.stamp ## run the daemon on virtual time: make simulate SEED=7 DAYS=30 TEMPO=calm
	$(BIN)/python -m tests.simulation $(or $(SEED),1) $(or $(DAYS),5) $(or $(TEMPO),calm)

bench: $(VENV)/dev.stamp ## measure speed and memory, as ratios to limits measured in the same run
	$(BIN)/python -m benchmarks

bench-peers: $(VENV)/dev.stamp $(PEERS)/peers.stamp ## run the alternatives on the same work; from then on part of bench
	$(BIN)/python -m benchmarks --only peers --only scaling-peers

man: $(VENV)/dev.stamp ## write man/notifier.1 again, after a change of the commands' help
	$(BIN)/python -m tools.manpage > man/notifier.1

dist: $(VENV)/dev.stamp ## build the source archive and the wheel in dist/, with the locked build tools
	$(BIN)/hatchling build

lock: $(VENV)/dev.stamp ## write both lock files again from pyproject.toml (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra build pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --extra dev pyproject.toml -o requirements-dev.lock

clean: ## remove everything that these commands created
	rm -rf $(VENV) $(PEERS) $(NODE) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/python.stamp:
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "notifier needs Python 3.11 or newer; name one: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	touch $@

# The package is installed as editable, so that edits take effect at once; the lock pins its build tools too.
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

# About ten tests need Express and npm's verifier. Without them these tests are skipped with a message.
$(NODE)/node.stamp: tests/node/package-lock.json
	mkdir -p $(NODE)
	if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund --prefix tests/node || echo "npm: no packages; tests in JavaScript are skipped"; else echo "no npm: tests in JavaScript are skipped"; fi
	mkdir -p $(NODE) && touch $@

$(PEERS)/peers.stamp: benchmarks/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install -q --disable-pip-version-check -r $<
	touch $@
