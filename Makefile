# Vouchsafe. `make help` lists what there is; every target sets up what it needs first.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo up services down test test-fast mutants test-clamd bench check lint types imports docs drift format lock clean

PYTHON := .venv/bin/python

# No tool reports home or looks for newer versions of itself.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NO_UPDATE_NOTIFIER := 1
export DO_NOT_TRACK := 1
export AZURE_CORE_COLLECT_TELEMETRY := 0
export FUNCTIONS_CORE_TOOLS_TELEMETRY_OPTOUT := 1
# Tools import the app from here, and nothing else from where the caller happened to be.
unexport PYTHONPATH

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) \
		| while IFS='|' read -r target what; do printf '%-16s %s\n' "$$target" "$$what"; done

# Any Python from 3.8 on can say what is missing; a pyenv shim without its version cannot run.
setup: ## Install everything into this clone; at once when nothing has changed
	@for python in python3.13 python3; do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1; then \
			exec $$python infra/setup.py; \
		fi; \
	done; \
	echo 'Vouchsafe needs Python 3.13 and a C compiler, and found no Python. Get them with:' >&2; \
	echo '  sudo apt-get install python3.13 python3.13-venv python3.13-dev gcc libc6-dev' >&2; \
	echo '  sudo dnf install python3.13 python3.13-devel gcc' >&2; \
	echo '  brew install python@3.13 && xcode-select --install' >&2; \
	exit 1

demo: setup ## Run the main job on real photos, step by step, and stop again
	@$(PYTHON) -m infra.local.demo

up: setup ## Start the local stack and leave it running; restart what has died
	@$(PYTHON) -m infra.local up

services: setup ## Start the local stack without the app's host, for `func start`
	@$(PYTHON) -m infra.local up --without host

down: setup ## Stop the local stack
	@$(PYTHON) -m infra.local down

# Most tests wait for queues and locks rather than compute, so there may be more of them than cores.
test: setup ## Run all tests on stacks of their own
	@$(PYTHON) -m pytest --numprocesses 4 --dist loadfile

# `tests/fast.py` chooses them by what they import and use.
test-fast: setup ## Run the tests that need no service and no Azure
	@$(PYTHON) -m pytest --fast --numprocesses 2 --dist worksteal

mutants: setup ## Change each decision of the rules, and see a test fail
	@$(PYTHON) -m tests.mutants

# The name of Debian's package; others have clamd in `clamav` or `clamd`.
test-clamd: setup ## Test the scanner clamd with a real one; needs clamd
	@command -v clamd >/dev/null || { \
		echo 'clamd was not found. Get it with: sudo apt-get install clamav-daemon' >&2; exit 1; }
	@$(PYTHON) -m pytest tests/clamd

bench: setup ## Run the benchmarks; SIZE=small, default or full, ONLY="uploads broker", KEEP=1
	@$(PYTHON) -m tests.benchmarks --size $(or $(SIZE),default) \
		$(if $(ONLY),--only $(ONLY)) $(if $(KEEP),--keep)

check: lint types imports drift ## What CI checks before the tests

lint: setup ## Check style and format
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check

types: setup ## Check the types
	@$(PYTHON) -m mypy

imports: setup ## Check that imports point one way
	@.venv/bin/lint-imports

docs: setup ## Write docs/reference/ from the code
	@$(PYTHON) -m infra.docs

drift: setup ## Check that docs/reference/ is what the code makes
	@$(PYTHON) -m infra.docs --check

format: setup ## Format the code and fix what can be fixed
	@$(PYTHON) -m ruff check --fix
	@$(PYTHON) -m ruff format

# uv resolves for every platform at once; it lives in build/, as only this target needs it.
UV := build/lock/bin/uv pip compile --quiet --universal --python-version 3.13 --no-header --no-annotate

lock: setup ## Pin the dependencies anew, at their latest versions
	@$(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip install --quiet uv
	@$(UV) --upgrade pyproject.toml --output-file requirements.txt
	@$(UV) --upgrade --group dev --constraint requirements.txt --output-file requirements-dev.txt
	@$(PYTHON) -m infra.packages lock

clean: ## Stop the stack and delete what was built; the installations stay
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m infra.local down; fi
	@rm -rf build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -not -path './.venv/*' -not -path '*/node_modules/*' -prune -exec rm -rf {} +
