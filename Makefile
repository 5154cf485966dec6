# Every target sets up what it needs on a machine that has only Python 3.11+, make and gpg.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAM_BIN := .venv-sam/bin
# The layer's own folder: the functions import the package from there on Lambda, and so does everything here.
export PYTHONPATH := cli:layers/callseal/python:.
export SAM_CLI_TELEMETRY := 0

# The environment in samconfig.toml for `build` and `deploy`.
ENV ?= default
# How many seconds `fuzz` runs for each parser.
SECONDS_EACH ?= 60

.DEFAULT_GOAL := help
.PHONY: help setup demo local test check docs lint build try-build deploy web bench bench-sftp fuzz faults storm year law races clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.done ## only create .venv, with the command .venv/bin/callseal

$(VENV)/.done: requirements.txt layers/dependencies/requirements.in pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Callseal needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

# The functions' Python with Lambda's runtime interface client: tests/template/sam run the build output with it.
.venv-lambda/.done: requirements-lambda.txt
	python="$$($(PYTHON) tools/runtime_python.py)" && "$$python" -m venv .venv-lambda
	.venv-lambda/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-lambda.txt
	@touch $@

.venv-sam/.done: requirements-sam.txt
	$(PYTHON) -m venv .venv-sam
	$(SAM_BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-sam.txt
	@touch $@

# The linter of the translated template. It has its own .venv, because checkov pins an older boto3.
.venv-checkov/.done: requirements-checkov.txt
	$(PYTHON) -m venv .venv-checkov
	.venv-checkov/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-checkov.txt
	@touch $@

demo: setup ## run the main job on the local cloud, from an empty stack to the receivers
	@$(BIN)/python -m localcloud.demo

local: setup ## run the local cloud in the foreground until Ctrl-C; writes .local/outputs.json
	@$(BIN)/python -m localcloud

test: setup .venv-sam/.done .venv-checkov/.done try-build ## run all tests
	$(BIN)/python -m pytest -n 4 --dist worksteal

fuzz: setup ## fuzz the parsers of untrusted input, a minute each (SECONDS_EACH=60)
	$(BIN)/python -m tests.security.abuse.fuzz all --seconds $(SECONDS_EACH)

check: setup ## run everything that CI runs, the linters beside the tests
	@$(MAKE) --no-print-directory -j2 lint test

faults: setup ## fail each request around a recording in turn; FAULTS=--few for a short run
	@$(BIN)/python -m simulation.faults $(FAULTS)

storm: setup ## deliver 5,000 recordings under faults, checked from outside (15 minutes); STORM="--seed 7" repeats a run, "--stuck 20000" adds a stuck tenant
	@$(BIN)/python -m simulation.storm $(STORM)

year: setup ## let a simulated year of the law pass, with a judge each day; YEAR="--days 90 --seed 7" for another one
	@$(BIN)/python -m simulation.year $(YEAR)

law: setup ## do each action to a recording in each state, and compare (docs/retention-table.md)
	@$(BIN)/python -m tests.functions.law.run

races: setup ## let a hold and a disposal of one call meet 1,000 times; RACES="--races 100 --seed 7"
	@$(BIN)/python -m tests.functions.law.races $(RACES)

docs: setup ## regenerate schemas, tables of the pages, events/env.json, and the pages of keys and readers
	$(BIN)/python -m tools.pages
	$(BIN)/python -m tests.interop.page
	$(BIN)/python -m tests.vectors.page
	$(BIN)/python -m tests.unit.calls.vendors
	$(BIN)/python -m tests.functions.law.page

lint: setup ## run ruff and mypy; the template's linters are part of the tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy layers/callseal/python/callseal cli/callseal_cli localcloud tools layers/gnupg functions
	$(BIN)/mypy tests simulation benchmarks

build: .venv-sam/.done ## run sam build, byte-compile, and check the size (ENV=default, dev, staging, prod)
	@$(SAM_BIN)/python tools/build.py --config-env $(ENV)

# The tests of the build output need python3.13 and a gpg that Lambda can run. Without these, they are skipped with a
# message (tests/template/sam/conftest.py), and fail in CI.
try-build: .venv-sam/.done
	@rm -f .aws-sam/not-built; mkdir -p .aws-sam; \
	$(MAKE) --no-print-directory build .venv-lambda/.done > .aws-sam/build.log 2>&1 \
	|| { tail -n 3 .aws-sam/build.log | tee .aws-sam/not-built; echo "The tests of the build output are skipped."; }

bench: setup try-build ## run the benchmarks against peers; ROWS="name ..." for some of them
	@$(BIN)/python -m benchmarks $(ROWS)

bench-sftp: setup ## fetch one large file through the local SFTP front; SIZE=1024 in MiB (needs 4 times that memory)
	@$(BIN)/python -m benchmarks.sftp $(SIZE)

deploy: build setup ## run sam deploy --guided for the same ENV, and upload the archive's page
	$(SAM_BIN)/sam deploy --guided --config-env $(ENV)
	@$(MAKE) --no-print-directory web ENV=$(ENV)

web: setup ## upload the archive's page from web/ to the deployed stack of ENV
	@$(BIN)/python tools/web.py --config-env $(ENV)

clean: ## remove everything that these targets created
	rm -rf $(VENV) .venv-sam .venv-lambda .venv-checkov .aws-sam .local .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz
