VENV ?= .venv
PYTHON ?=
BIN := $(VENV)/bin
DATA_DIR ?= /var/lib/steersman
PYTEST_ARGS ?=

export VENV PYTHON

.DEFAULT_GOAL := help

.PHONY: help
help: ## show what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: up
up: ## install what is missing, start a cluster on this machine, and deploy examples/hello (as root)
	@[ "$$(id -u)" -eq 0 ] || { echo "error: a node needs root" >&2; echo "  cure: sudo make up" >&2; exit 1; }
	@scripts/setup run
	@$(BIN)/steersman up --data-dir "$(DATA_DIR)"
	@examples/hello/deploy $(BIN)/steersman "$(DATA_DIR)"

.PHONY: down
down: ## end the cluster; nothing of it stays on the machine but its data directory (as root)
	@[ -x $(BIN)/steersman ] || { echo "error: there is no $(BIN)/steersman: nothing was set up here" >&2; exit 1; }
	@$(BIN)/steersman down --data-dir "$(DATA_DIR)"

.PHONY: test
test: ## install what is missing and run every test (one alone: make test PYTEST_ARGS=tests/unit/pki)
	@scripts/setup dev
	@$(BIN)/pytest $(PYTEST_ARGS)

.PHONY: fuzz
fuzz: ## look for requests that break something, for some minutes (FUZZ: how many times the usual effort)
	@scripts/setup dev
	@FUZZ=$${FUZZ:-100} $(BIN)/pytest tests/fuzz

.PHONY: check
check: ## run the linters, the type checker and the import contracts
	@scripts/setup dev
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache

.PHONY: bench
bench: ## measure this build, with the machine's yardsticks beside it
	@scripts/setup dev
	@$(BIN)/python -m bench

.PHONY: generate
generate: ## generate the API types again from the schemas of kubernetes-validate
	@scripts/setup dev
	@$(BIN)/python tools/generate_api_types.py
	@$(BIN)/ruff check --fix --quiet src/steersman/api/types
	@$(BIN)/ruff format --quiet src/steersman/api/types
