# `make run` starts everything on this machine; `make help` lists the rest.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; \
	done)
VENV ?= .venv
PY := $(VENV)/bin/python
OTHERS := $(patsubst .ci/mlflow-%.txt,%,$(wildcard .ci/mlflow-*.txt))
ARGS ?=
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help run test check bench crash pictures audit sbom lock mlflow $(OTHERS:%=mlflow-%) clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.installed-run ## start the daemon on an embedded MLflow with sample runs
	@$(VENV)/bin/alerter demo $(ARGS)

test: $(VENV)/.installed-dev ## run the tests (ARGS="-k name" chooses, JOBS=1 one at a time)
	@$(PY) -m pytest --numprocesses=$(JOBS) --dist=loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.installed-dev ## lint, format, types, the layers of the house, its sizes
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(PY) -m tests.house

bench: $(VENV)/.installed-dev ## measure speed and memory (ARGS="--help" tells what)
	@$(PY) -m tests.bench $(ARGS)

crash: $(VENV)/.installed-dev ## kill the daemon at every point of a delivery, count what people got (node: see .ci/run)
	@$(PY) -m tests.crash $(ARGS)

pictures: $(VENV)/.installed-dev ## draw docs/pictures/ (Chromium and the Slack emulators: see .ci/run)
	@$(PY) -m docs.pictures

audit: $(VENV)/.installed-dev ## look up known vulnerabilities of everything that is locked (asks the public package index)
	@for lock in .ci/requirements*.txt; do echo "$$lock"; \
	$(VENV)/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off --requirement "$$lock" || exit 1; done

sbom: $(VENV)/.installed-dev ## write dist/sbom.json: what the image installs, as CycloneDX
	@.ci/sbom $(VENV) dist/sbom.json

lock: ## resolve the dependencies anew (ARGS=--upgrade takes the newest)
	@PYTHON=$(PYTHON) .ci/lock $(ARGS)

mlflow: $(OTHERS:%=mlflow-%) ## install the other MLflows that tests run, each in an environment of its own

clean: ## remove what make has made
	rm -rf $(VENV) $(OTHERS:%=.mlflow-%) .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find alerter tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer is needed, and none was found: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; fi
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make a virtual environment (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }

$(VENV)/.installed-run: LOCK := .ci/requirements.txt
$(VENV)/.installed-dev: LOCK := .ci/requirements-dev.txt
$(VENV)/.installed-%: .ci/requirements.txt .ci/requirements-dev.txt pyproject.toml | $(PY)
	@.ci/install $(VENV) $(LOCK) .
	@touch $@

$(OTHERS:%=mlflow-%): mlflow-%: .mlflow-%/.installed

$(OTHERS:%=.mlflow-%/.installed): .mlflow-%/.installed: .ci/mlflow-%.txt
	@echo "MLflow $*"
	@$(PYTHON) -m venv --clear .mlflow-$*
	@.ci/install .mlflow-$* $<
	@touch $@
