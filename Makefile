# Every target works from a fresh clone; `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST_ARGS ?= -n 2
NPM := tests/interop/npm
BENCH_ARGS ?=
TRUST_ARGS ?=
KILLS ?= 5000
SOAK_ARGS ?=
FUZZ_ARGS ?=
SESSIONS_ARGS ?=

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: .make/run ## install into .venv, set up the demo and serve it at http://127.0.0.1:8000
	@$(BIN)/python examples/run_demo.py

.PHONY: test
test: .make/dev debian .make/npm .make/schemas ## run all tests; as root on Debian, install first what they need
	$(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: lint
lint: .make/dev ## ruff, the format check and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: bench
bench: .make/run ## measure, as ratios to the raw rate of the private-key operation (minutes)
	$(BIN)/python -m benchmarks.report $(BENCH_ARGS)
	$(BIN)/python -m benchmarks.trust $(TRUST_ARGS)

.PHONY: soak
soak: .make/run ## certificates that live for 4 minutes, under load: no token may be refused (20 minutes)
	$(BIN)/python -m benchmarks.soak $(SOAK_ARGS)

.PHONY: torture
torture: .make/dev ## kill rollovers and rotations at random, KILLS times (5000: half an hour)
	KILLS=$(KILLS) $(BIN)/python -m pytest -m torture $(PYTEST_ARGS) tests/torture

.PHONY: fuzz
fuzz: .make/dev ## change tokens, requests and metadata at random, at the readers and at the doors: nothing is forged (5 minutes)
	$(BIN)/python -m tests.fuzz $(FUZZ_ARGS)

.PHONY: sessions
sessions: .make/dev ## 10,000 messages of WS-Trust, half of them bad: what memory they leave, that none fails (2 minutes)
	$(BIN)/python -m tests.sessions $(SESSIONS_ARGS)

.PHONY: pictures
pictures: .make/dev debian ## take the pictures of docs/pictures anew, with the browser tests
	PICTURES=docs/pictures $(BIN)/python -m pytest tests/browser

.PHONY: clean
clean: ## remove .venv and what was built; keys, database and metadata stay
	rm -rf .venv .make $(NPM)/node_modules build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/pyvenv.cfg:
	@for python in $(PYTHON) /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do \
	    if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "making .venv with $$($$python --version)"; \
	        exec "$$python" -m venv --clear .venv; \
	    fi; \
	done; \
	echo "sts needs Python 3.11 or newer with its venv module (Debian: apt-get install python3-venv)." >&2; \
	echo "If it is not on the PATH, name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
	exit 1

.make/run: setup.cfg pyproject.toml .venv/pyvenv.cfg
	$(PIP) --editable '.[demo]'
	@mkdir -p .make && touch $@

.make/dev: setup.cfg pyproject.toml .venv/pyvenv.cfg
	$(PIP) --editable '.[dev,postgres]'
	@mkdir -p .make && touch .make/run $@

.make/npm: $(NPM)/package.json $(NPM)/package-lock.json | debian
	@if command -v npm >/dev/null; then \
	    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --prefix $(NPM) && mkdir -p .make && touch $@; \
	else \
	    echo "npm is not installed, so the tests that need its packages skip (with CI=true: fail)" >&2; \
	fi

# The published schemas of WS-Trust are in no package of Debian; this one from PyPI holds them beside a program.
.make/schemas: .venv/pyvenv.cfg
	@mkdir -p .make
	@if $(PIP) --no-deps --ignore-requires-python --upgrade --target .make/koap koap==0.4.0; then touch $@; else \
	    echo "the schemas of WS-Trust are not here, so the tests that need them skip (with CI=true: fail)" >&2; \
	fi

.PHONY: debian
debian:
	@missing=; \
	command -v xmlsec1 >/dev/null || missing="$$missing xmlsec1"; \
	command -v openssl >/dev/null || missing="$$missing openssl"; \
	command -v npm >/dev/null || missing="$$missing nodejs npm"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	test -d /usr/share/xml/opensaml || missing="$$missing opensaml-schemas"; \
	test -d /usr/share/xml/xmltooling || missing="$$missing xmltooling-schemas"; \
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || \
	    missing="$$missing postgresql"; \
	test -z "$$missing" && exit 0; \
	install="apt-get install -y -q --no-install-recommends$$missing"; export DEBIAN_FRONTEND=noninteractive; \
	test "$$(id -u)" = 0 && command -v apt-get >/dev/null && { $$install || { apt-get update -q && $$install; }; } || \
	echo "not installed, so the tests that need them skip (with CI=true: fail):$$missing" >&2
