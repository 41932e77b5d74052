# pbxcore: `make run`, `make demo`, `make test`. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Options for a target: `make run ARGS="--state /srv/pbxcore"`, `make test ARGS="-k postgres"`
ARGS ?=
OURS := dialplan rating pbxcore tests
# Tests on real phones mostly wait, so two of them share two cores well. A file's tests stay with one worker.
WORKERS ?= 2

.PHONY: help setup run demo test check quick explore soak bench providers keys lint format clean

help: ## Show this list
	@awk -F':.*## ' '/^[a-z%-]+:.*## / {printf "  \033[36mmake %-8s\033[0m %s\n", $$1, $$2}' Makefile

setup: ## Make the virtual environment from the lock file; does nothing when it is up to date
	@PYTHON=$(PYTHON) VENV=$(VENV) bash .ci/setup

run: setup ## Set up and start everything, show who can call whom, follow the calls live
	@exec $(BIN)/pbxcore run $(ARGS)

demo: setup ## Play the story of the product with real SIP; starts the system if it is not running
	@exec $(BIN)/pbxcore demo $(ARGS)

test: setup ## Run all tests: real Asterisk, real PostgreSQL, real SIP phones
	@$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup ## What a commit must pass, in under a minute: format, lint, types, quick tests
	@$(MAKE) --no-print-directory --output-sync --jobs=2 lint quick

lint: setup ## Check format, style and types
	@$(BIN)/ruff format --check --quiet $(OURS) || { echo "✗ not formatted → make format"; exit 1; }
	@$(BIN)/ruff check --quiet $(OURS)
	@$(BIN)/mypy --no-error-summary

quick: setup
	@$(BIN)/pytest -q --hypothesis-profile=short tests/architecture tests/unit tests/property tests/scenarios $(ARGS)

explore: setup ## Hold the laws against many new examples, an hour or so; ARGS="-k contract" for some of them
	@$(BIN)/pytest -q --numprocesses $(WORKERS) --hypothesis-profile=explore --timeout=3600 tests/property $(ARGS)

format: setup ## Bring the code into form
	@$(BIN)/ruff check --fix --quiet $(OURS); $(BIN)/ruff format $(OURS)

providers: setup ## Write docs/providers.md from a run (two minutes) of the tests that show what the providers promise
	@$(BIN)/pytest -q -m row --providers-page docs/providers.md tests/scenarios/providers tests

keys: setup ## Write docs/tenant.md, account.md, catalogue.md, contract.md and settings.md from the specs
	@$(BIN)/python -m pbxcore.keys docs

soak: setup ## Rate 200,000 legs while rater and PostgreSQL are killed by kill -9; LEGS=20000 for fewer
	@$(BIN)/python -m tests.adversity.soak

bench: setup ## Run every benchmark; each ends with one line of JSON
	@for file in tests/benchmarks/bench_*.py; do $(BIN)/python -m "tests.benchmarks.$$(basename "$$file" .py)"; done

bench-%: setup ## Run one: tests/benchmarks/bench_<name>.py
	@$(BIN)/python -m tests.benchmarks.bench_$(subst -,_,$*)

clean: ## Remove what can be made again; state in var/ stays
	@rm -rf $(VENV) build pbxcore.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis var/asterisk-root*
	@find $(OURS) -name __pycache__ -type d -prune -exec rm -rf {} +
