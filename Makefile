# The commands of this project. `make help` lists them.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
TOOLS  := .bin/kubectl .bin/helm
K8S    ?= 1.30
# of `make test`: much of what the tests of the embedded cluster do is to wait
WORKERS ?= 4
SHELL_SCRIPTS := $(wildcard demo/*.sh demo/scripts/*.sh dra/kubelet/protocol/*.sh findings/*.sh) .ci/run
# only one that was asked for: the tests create and delete things in it
CLUSTER := $(if $(filter command,$(origin KUBECONFIG)),--kubeconfig $(KUBECONFIG),--k8s $(K8S))
CLUSTER += $(if $(GATES),--gates $(GATES))

# Each program and each test process that finds no bytecode compiles everything anew, which takes
# longer than all else that it does; this keeps bytecode, and out of the sources.
export PYTHONPYCACHEPREFIX ?= $(abspath $(VENV))/pycache
unexport PYTHONDONTWRITEBYTECODE

# pip, with a line for each package; what is wrong it writes to standard error itself
define install
@{ PYTHONUNBUFFERED=1 $(BIN)/python -m pip install --disable-pip-version-check --no-compile -e '$(PARTS)' || \
	  echo pip-failed; } | while read -r verb what rest; do case "$$verb $$what" in \
	    "Collecting "*) echo "  $$what" ;; \
	    "Installing collected") echo "  unpacking all of them" ;; \
	    "pip-failed "*) exit 1 ;; \
	  esac; done
@echo "installed"
endef

.DEFAULT_GOAL := help
.PHONY: help demo test e2e bench reliability check docs pictures fmt chart proto clean tools

help: ## Show this list
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' \
	  '{ name[NR] = $$1; text[NR] = $$2; if (length($$1) > width) width = length($$1) } \
	   END { for (i = 1; i <= NR; i++) printf "  make %-*s %s\n", width, name[i], text[i] }'

demo: $(VENV)/.run ## Run the demos of both kinds of claims (KIND=structured is one; NODES=n; UI=1 shows a page; KEEP=1 leaves it up)
	@for kind in $(or $(KIND),$(if $(KEEP),classic,classic structured)); do \
	  $(BIN)/python -m demo.walkthrough --kind $$kind $(if $(NODES),--nodes $(NODES)) $(if $(KEEP),--keep) $(if $(UI),--ui) $(ARGS) || exit; \
	done

test: $(VENV)/.test $(TOOLS) ## Run the unit and the embedded-cluster tests (ARGS="-k name")
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

e2e: $(VENV)/.test $(TOOLS) ## Run the tests on Kubernetes: K8S=1.30 raises one (root; GATES=A=true), KUBECONFIG=file is yours
	$(BIN)/python -m pytest --timeout 600 -o timeout_func_only=true tests/cluster tests/e2e $(CLUSTER) $(ARGS)

check: $(VENV)/.lint $(TOOLS) ## Lint: ruff, mypy, import-linter, helm, hadolint, shellcheck
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy -p tests.e2e.cluster
	$(BIN)/lint-imports
	.bin/helm lint --strict --kube-version 1.30 --namespace fake-system deploy/helm/fake-dra-driver
	.bin/helm lint --strict --kube-version 1.37 --namespace fake-system deploy/helm/fake-dra-driver
	.bin/helm lint --strict --kube-version 1.37 --namespace dra drivers/gpu/deploy/dra-example-driver
	$(BIN)/hadolint Dockerfile drivers/file/Dockerfile
	$(BIN)/shellcheck $(SHELL_SCRIPTS)

fmt: $(VENV)/.lint ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.run ## Measure the driver against what the API server can do (ARGS=--help lists options)
	@$(BIN)/python -m bench $(ARGS)

reliability: $(VENV)/.test $(TOOLS) ## Make every fault happen and renew the table of docs/reliability.md
	$(BIN)/python -m tests.reliability $(ARGS)

docs: $(VENV)/.test $(TOOLS) ## Renew the outputs in the README, the tutorial and docs/devices.md from a run
	$(BIN)/python -m tests.support.readme
	$(BIN)/python -m tests.support.tutorial
	$(BIN)/python -m tests.support.devicespage

pictures: $(VENV)/.browser $(TOOLS) ## Renew the pictures of docs/ui.md in a Chromium (apt-get install chromium)
	$(BIN)/python -m pytest tests/cluster/test_cluster_page.py -k pictures --pictures docs/pictures

chart: ## Copy the CRDs of api/ into the chart
	cp api/*_crd.yaml deploy/helm/fake-dra-driver/crds/

proto: ## Generate the protobuf messages anew
	dra/kubelet/protocol/generate.sh

tools: $(TOOLS) ## Fetch kubectl and helm into .bin

clean: ## Remove everything that these commands made
	rm -rf $(VENV) .bin build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .devcluster

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: PARTS = .[devcluster]
$(VENV)/.run: setup.cfg | $(VENV)/bin/python
	@echo "installing the driver into $(VENV), which takes a minute or less:"
	$(install)
	@touch $@

$(VENV)/.test: PARTS = .[devcluster,test]
$(VENV)/.test: setup.cfg | $(VENV)/bin/python
	@echo "installing the driver and its tests into $(VENV), which takes a minute or less:"
	$(install)
	@touch $@ $(VENV)/.run

$(VENV)/.browser: PARTS = .[devcluster,test,browser]
$(VENV)/.browser: setup.cfg | $(VENV)/bin/python
	@echo "installing the driver, its tests and what drives a browser into $(VENV):"
	$(install)
	@touch $@ $(VENV)/.run $(VENV)/.test

$(VENV)/.lint: PARTS = .[devcluster,test,lint]
$(VENV)/.lint: setup.cfg | $(VENV)/bin/python
	@echo "installing the driver, its tests and the linters into $(VENV), which takes a minute or two:"
	$(install)
	@touch $@ $(VENV)/.run $(VENV)/.test

$(TOOLS) &: | $(VENV)/bin/python
	$(BIN)/python tools/fetch_kubectl.py .bin
