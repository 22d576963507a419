# The commands of this project. `make help` lists them.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
TOOLS  := .bin/kubectl .bin/helm
NODES  ?= 1
SHELL_SCRIPTS := $(wildcard demo/*.sh demo/scripts/*.sh plugin/protocol/*.sh tests/e2e/cluster/*.sh) .ci/run

.DEFAULT_GOAL := help
.PHONY: help demo test check fmt chart proto clean tools

help: ## Show this list
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: $(VENV)/.run ## Run the five demos on the embedded cluster (NODES=n; KEEP=1 leaves it up)
	@$(BIN)/python -m demo.walkthrough --nodes $(NODES) $(if $(KEEP),--keep)

test: $(VENV)/.test $(TOOLS) ## Run the unit and the embedded-cluster tests (ARGS="-k name")
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.lint $(TOOLS) ## Lint: ruff, mypy, import-linter, helm, hadolint, shellcheck
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	.bin/helm lint --strict --namespace fake-system deploy/helm/fake-dra-driver
	$(BIN)/hadolint Dockerfile
	$(BIN)/shellcheck $(SHELL_SCRIPTS)

fmt: $(VENV)/.lint ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

chart: ## Copy the CRDs of api/ into the chart
	cp api/*_crd.yaml deploy/helm/fake-dra-driver/crds/

proto: ## Generate the kubelet protocol's messages anew
	plugin/protocol/generate.sh

tools: $(TOOLS) ## Fetch kubectl and helm into .bin

clean: ## Remove everything that these commands made
	rm -rf $(VENV) .bin build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: setup.cfg | $(VENV)/bin/python
	@echo "installing the driver into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -e .
	@touch $@

$(VENV)/.test: setup.cfg | $(VENV)/bin/python
	@echo "installing the driver and its tests into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -e '.[test]'
	@touch $@ $(VENV)/.run

$(VENV)/.lint: setup.cfg | $(VENV)/bin/python
	@echo "installing the driver, its tests and the linters into $(VENV)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -e '.[test,lint]'
	@touch $@ $(VENV)/.run $(VENV)/.test

$(TOOLS) &: | $(VENV)/bin/python
	$(BIN)/python tools/fetch_kubectl.py .bin
