# The front door: everything a person or a machine does with this checkout. `make help` lists it.
# The environment, .venv, is made and kept up to date by .ci/venv; see there for how and when.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

BIN := .venv/bin
PY  := $(BIN)/python

# More arguments for the program: make test ARGS='-k resume'
ARGS ?=

# How many files of tests run at a time: each test has its own data directory, ports and loop. In the order of the
# collection, for what drives a browser comes last. WORKERS=0: all in this process, as a debugger wants it.
WORKERS ?= 2

.PHONY: help run test check format cover bench soak lock clean venv venv-dev

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: venv ## set up if needed, then start the bot; with no settings, the web chat on this machine
	@exec $(PY) -m bots run $(ARGS)

test: venv-dev ## every test but the long ones (soak, bench); browser tests skip where there is no chromium
	@exec $(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m 'not soak and not bench' $(ARGS)

check: venv-dev ## lint, form, types, the direction of imports, documentation that comes from the code
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@if [ -f tests/docs.py ]; then $(PY) -m tests.docs --check; fi

format: venv-dev ## bring every file into the form that `make check` asks for
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

cover: venv-dev ## `make test`, with the lines and branches of core/domain that no test reaches
	@exec $(PY) -m pytest -m 'not soak and not bench' --cov $(ARGS)

bench: venv-dev ## measure, and print a table
	@exec $(PY) -m tests.bench $(ARGS)

soak: venv-dev ## the tests that run for long
	@exec $(PY) -m pytest -m soak --timeout=0 $(ARGS)

# Resolved for every supported Python and platform at once, with the hashes of all files of each release, and
# without a word about where they come from. What is pinned stays, unless UPGRADE=--upgrade asks for the newest.
UPGRADE ?=
COMPILE = UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-header $(UPGRADE)
lock: venv-dev ## write requirements.txt and requirements-dev.txt anew from the .in files
	@$(COMPILE) requirements.in --output-file requirements.txt
	@$(COMPILE) requirements-dev.in --output-file requirements-dev.txt

clean: ## remove the environment and what tools leave behind; never data/
	@rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis \
	  .coverage .coverage.* htmlcov
	@find bots core storage tests -name __pycache__ -type d -prune -exec rm -rf {} +

venv: ## only the set-up of `make run`
	@.ci/venv run

venv-dev: ## only the set-up of `make test` and the rest
	@.ci/venv dev
