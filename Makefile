# Every target sets up what it needs on a machine that has only Python 3.11+, make and gpg.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAM_BIN := .venv-sam/bin
# The layers' own folder is where the functions find the package in Lambda, and where everything here finds it too.
export PYTHONPATH := layers/callseal/python:.
export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.PHONY: help setup demo local test check lint build deploy bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.done ## the .venv alone

$(VENV)/.done: requirements.txt layers/dependencies/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Callseal needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv-sam/.done: requirements-sam.txt
	$(PYTHON) -m venv .venv-sam
	$(SAM_BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-sam.txt
	@touch $@

demo: setup ## the main job, from nothing, on the local cloud, and out again
	@$(BIN)/python -m localcloud.demo

local: setup ## the local cloud in the foreground until Ctrl-C; writes .local/outputs.json
	@$(BIN)/python -m localcloud
