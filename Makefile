# Everything works on a machine that has Python 3.11+, pip and make; nothing else is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run
DEV := $(VENV)/.dev
COMPILED := $(VENV)/.compiled
FUZZER := $(VENV)/.fuzzer
PYTEST_WORKERS ?= 5
# Compiled files are kept, whatever the caller's environment says: without them each process compiles the hub anew.
export PYTHONDONTWRITEBYTECODE :=
PYTEST := $(BIN)/python -m pytest -q -n $(PYTEST_WORKERS)
# What stands on a store; the rest of these folders would say the same twice.
ON_BOTH := tests/api tests/delivery tests/scenarios tests/worker \
	$(addprefix --ignore=tests/,api/test_openapi.py api/test_memory.py api/test_soap_memory.py api/test_protocol.py \
	api/test_cli_keys.py api/test_file_names.py api/test_roles.py api/test_heads.py api/test_behind_proxies.py \
	api/test_hostile_issuer.py $(addprefix delivery/test_,credentials.py redaction.py policy.py settle.py claim.py \
	sending.py statements.py decisions.py guesses.py sink.py asking.py timeline.py form_checks.py operators.py \
	centre_words.py deeds.py intake.py patrol.py steps.py))

.DEFAULT_GOAL := help
.PHONY: help demo quick test nightly lint types imports fast tests stored bench chaos mutation fuzz audit lock foreign clean

help: ## Show this help
	@echo "appeal-hub: carries citizens' appeals into the systems that authorities have, and answers back"
	@echo
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

$(RUN): requirements.lock requirements-build.lock pyproject.toml | $(BIN)/python
	@echo "Setting up $(VENV) from the lock (once)…"
	@$(PIP) --require-hashes -r requirements.lock -r requirements-build.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements-dev.lock $(RUN)
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@

$(FUZZER): requirements-fuzz.lock $(DEV)
	@$(PIP) --require-hashes -r requirements-fuzz.lock
	@touch $@

demo: $(RUN) ## Run the whole way on loopback: 300 appeals, twelve authorities, under a minute
	@$(BIN)/hub demo

quick: $(DEV) foreign ## Before each commit, under two minutes: lint, types, contracts and all tests but the slow ones
	@$(MAKE) --no-print-directory -j 4 lint types imports fast

test: $(DEV) foreign ## Everything that must pass before a change lands, under eight minutes
	@$(MAKE) --no-print-directory -j 5 lint types imports tests stored

nightly: export HUB_TEST_FORM = nightly
nightly: test chaos mutation fuzz ## The long forms: ten times the examples, all cells and phases, mutants, fuzzing; hours

lint: $(DEV) ## ruff: rules and format
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .

types: $(DEV) ## mypy --strict
	@$(BIN)/mypy

imports: $(DEV) ## Imports point inward
	@$(BIN)/lint-imports --cache-dir .import_linter_cache >$(VENV)/.imports || { cat $(VENV)/.imports; exit 1; }

# Compiled once: in a fresh clone each of the workers would compile all test modules for itself.
$(COMPILED): $(DEV)
	@$(BIN)/python -m pytest -q --collect-only >/dev/null 2>&1 || true
	@touch $@

fast: $(COMPILED) ## The tests that are not marked slow
	@HUB_TEST_FORM=quick $(BIN)/python -m pytest -q -n 3 --dist worksteal -m "not slow"

tests: $(COMPILED) ## The tests, in random order, warnings as errors
	@$(PYTEST) --dist worksteal

stored: $(COMPILED) ## Those of doors, use cases and worker once more, on PostgreSQL
	@HUB_TEST_STORE=postgres $(BIN)/python -m pytest -q -n 2 $(ON_BOTH)

foreign: ## Programs that others wrote, for the tests (Debian, as root; elsewhere: names what is missing)
	@sh tests/foreign.sh

bench: $(DEV) ## Measure speed side by side; writes benchmarks/RESULTS.md (BENCH_FLAGS=--full for the long form)
	@$(BIN)/python -m benchmarks $(BENCH_FLAGS)

chaos: $(DEV) ## Kill, freeze and starve it; prints an accounting (CHAOS_FLAGS="--stop-secs 3 --messages 20")
	@$(BIN)/python -m tests.chaos $(CHAOS_FLAGS)

mutation: $(DEV) ## Small faults made on purpose: fails if the tests notice under 85 % (MUTATION_FLAGS="--package router")
	@HUB_TEST_FORM=quick $(BIN)/python -m tests.mutation $(MUTATION_FLAGS)

fuzz: $(FUZZER) ## Foreign bytes made by chance, guided by coverage, to every reader (FUZZ_FLAGS="mail sftp --seconds 600")
	@$(BIN)/python -m tests.fuzz $(FUZZ_FLAGS)

audit: $(DEV) ## Known holes in what is locked: pip-audit where its data can be reached, else deploy/holes.yaml
	@$(BIN)/python -m tests.supply.audit

lock: ## Renew the lock files and what is made of them (needs uv)
	uv pip compile -q --universal --generate-hashes --no-header -p 3.11 --extra postgres pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-header -p 3.11 --extra postgres --group dev pyproject.toml -o requirements-dev.lock
	uv pip compile -q --universal --generate-hashes --no-header -p 3.11 --group fuzz -o requirements-fuzz.lock
	printf 'hatchling\neditables\n' | uv pip compile -q --universal --generate-hashes --no-header -p 3.11 - -o requirements-build.lock
	@$(MAKE) --no-print-directory $(DEV)
	@$(BIN)/python -m tests.supply.sbom

clean: ## Remove what make made
	rm -rf $(VENV) var .mypy_cache .ruff_cache .import_linter_cache .hypothesis .fuzz
