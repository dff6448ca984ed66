# The two commands: `make run` starts the product, `make test` proves it. `make help` lists
# the rest. Everything is made below this folder (.venv, .spreadline, frontend/node_modules).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PY := .venv/bin/python
ARGS ?=

CONSOLE_SOURCES := $(shell find frontend -type f -not -path '*/node_modules/*' \
	-not -path '*/dist/*' -not -path '*/.vite/*' 2>/dev/null)

.PHONY: help run test soak figures pin-day fmt lock clean machine check console chromium

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: machine .venv/base.stamp frontend/dist/index.html ## Start everything (ARGS="--web-port 9000" and so on)
	@$(PY) manage.py up $(ARGS)

test: machine .venv/dev.stamp frontend/dist/index.html ## Run every check and every test
	@deploy/local/test.sh $(ARGS)

check: .venv/dev.stamp ## Run the static checks of the back end only
	@deploy/local/check.sh

soak: .venv/dev.stamp ## Prove 20,000 seeded lives of a desk (ARGS="--jobs 4")
	@$(PY) manage.py prove --seeds 20000 $(ARGS)

figures: .venv/dev.stamp ## Measure every promise on the running simulated desk (ARGS="--drills --deaths 20")
	@$(PY) manage.py figures $(ARGS)

pin-day: .venv/dev.stamp ## Pin the decisions of the fixed simulated day (then name it in CHANGELOG.md)
	@$(PY) manage.py replay --day --pin

fmt: .venv/dev.stamp ## Format and fix the Python code
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .

lock: .venv/dev.stamp ## Write the lock files anew from deploy/requirements/*.in
	@deploy/local/lock.sh

console: frontend/dist/index.html ## Build the operator console

chromium: ## Find or fetch the Chromium that the browser tests drive
	@deploy/local/chromium.sh

clean: ## Remove what was built (not the data in .spreadline)
	@rm -rf .venv frontend/node_modules frontend/dist .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache

machine:
	@deploy/local/machine.sh

.venv/bin/python:
	@deploy/local/venv.sh

.venv/base.stamp: requirements.txt | .venv/bin/python
	@deploy/local/install.sh requirements.txt
	@touch $@

.venv/dev.stamp: deploy/requirements/dev.txt .venv/base.stamp
	@deploy/local/install.sh deploy/requirements/dev.txt
	@touch $@

frontend/node_modules/installed.stamp: frontend/package-lock.json
	@echo "spreadline | installing the console's packages (about 20 s)"
	@cd frontend && npm ci --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

frontend/dist/index.html: frontend/node_modules/installed.stamp $(CONSOLE_SOURCES)
	@echo "spreadline | building the console"
	@cd frontend && npm run --silent build -- --logLevel=warn
	@touch $@
