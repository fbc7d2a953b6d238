VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.DEFAULT_GOAL := help

.PHONY: help
help: ## show what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: check
check: ## run the linters, the type checker and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: generate
generate: ## generate the API types again from the schemas of kubernetes-validate
	$(BIN)/python tools/generate_api_types.py
	$(BIN)/ruff check --fix --quiet src/steersman/api/types
	$(BIN)/ruff format --quiet src/steersman/api/types
