# Two commands do everything: `make demo` and `make test`. Neither needs Docker, nor asks questions.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# the newest Python of at least 3.11 on PATH; PYTHON=... chooses another
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
SOURCES := app strategies platforms impact loadtest cli dashboards handbook tests

.PHONY: help setup setup-dev demo test check bench screenshots e2e-kind e2e-browser e2e-all kind-up kind-down dashboards manifests docs docs-pages docs-images lock schema clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/installed ## a virtual environment from the lock file, and Prometheus where there is none
	@$(BIN)/labctl doctor --install >/dev/null || $(BIN)/labctl doctor

setup-dev: $(VENV)/installed-dev setup

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; install it, or name it with PYTHON=..." >&2; exit 3; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 3; }

$(VENV)/installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing what requirements.lock names into $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/installed-dev: requirements-dev.lock $(VENV)/installed
	@echo "installing what requirements-dev.lock adds for the tests"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

demo: setup ## a measured canary on this machine, then nothing is left running
	@test -f models/v1/model.json -a -f models/v2/model.json || $(BIN)/labctl model train v1 v2
	@LAB_HOME=.lab/demo $(BIN)/labctl rollout canary --weight 10

test: setup-dev ## unit and contract tests, and one real rollout per promise, on this machine
	$(BIN)/pytest --numprocesses 2 --dist loadfile -m "not everything and not cluster and not browser"

e2e-kind: setup-dev ## the tests on a real cluster; they make one and delete it (needs Docker, kind, kubectl, helm, istioctl)
	$(BIN)/pytest -m "cluster and not everything"

e2e-browser: setup-dev ## the pages in a real browser (needs Chromium: apt-get install chromium)
	$(BIN)/pytest -m "browser and not everything"

e2e-all: setup-dev ## all end-to-end tests, also those that take long, here and on a cluster
	$(BIN)/pytest -m "e2e or everything or cluster or browser" tests

kind-up: setup ## the lab on a kind cluster
	@test -f models/v1/model.json -a -f models/v2/model.json || $(BIN)/labctl model train v1 v2
	@$(BIN)/labctl up --platform kind

kind-down: setup ## delete it again
	@$(BIN)/labctl down --platform kind

check: setup-dev ## types, lint, import rules, generated files
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(BIN)/python -m impact.summary_schema > $(VENV)/summary.schema.json
	diff -u docs/summary.schema.json $(VENV)/summary.schema.json
	$(BIN)/python -m dashboards --check
	$(BIN)/labctl render --check
	$(BIN)/python -m handbook --check

dashboards: setup-dev ## make Grafana's dashboards anew
	$(BIN)/python -m dashboards

manifests: setup ## make Istio's manifests of each strategy anew
	$(BIN)/labctl render

$(VENV)/installed-docs: requirements-docs.lock $(VENV)/installed
	@echo "installing what requirements-docs.lock adds for the documentation"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-docs.lock
	@touch $@

docs: $(VENV)/installed-docs ## the documentation as a site, into site/; a warning or a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@! grep -rlE '<(script|img|iframe)[^>]* src="https?:|<link[^>]* rel="(stylesheet|preconnect|preload)"[^>]* href="https?:' --include='*.html' site \
		|| { echo "these pages load something from another server" >&2; exit 1; }
	@echo "read it: site/index.html"

docs-pages: setup-dev ## make the generated pages and tables of the documentation anew
	$(BIN)/python -m handbook

docs-images: setup-dev ## make the pictures of the documentation anew; takes about ten minutes
	@test -f models/v1/model.json -a -f models/v2/model.json -a -f models/v2-broken/model.json || $(BIN)/labctl model train
	$(BIN)/labctl compare --candidates v2,v2-broken --to .lab/pictures
	$(BIN)/python -m handbook pictures .lab/pictures

schema: setup ## make docs/summary.schema.json anew
	$(BIN)/python -m impact.summary_schema > docs/summary.schema.json

screenshots: setup-dev ## a picture of each page into docs/images (needs Chromium)
	@test -f models/v1/model.json -a -f models/v2/model.json || $(BIN)/labctl model train v1 v2
	$(BIN)/python -m tests.screenshots docs/images

bench: setup-dev ## exact figures of the promises that name seconds
	$(BIN)/python -m tests.bench

lock: ## choose versions anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra dev \
		-c requirements.lock pyproject.toml -o requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra docs \
		-c requirements.lock -c requirements-dev.lock pyproject.toml -o requirements-docs.lock
	uv pip compile --quiet --no-annotate --python-version 3.13 --python-platform linux --generate-hashes --no-emit-index-url --no-header \
		-c requirements.lock app/requirements.in -o app/requirements.lock
	uv pip compile --quiet --no-annotate --python-version 3.13 --python-platform linux --generate-hashes --no-emit-index-url --no-header \
		-c requirements.lock -c requirements-dev.lock app/requirements-pages.in -o app/requirements-pages.lock

clean: ## end the lab, and remove what was made here; runs and models stay
	@if [ -x $(BIN)/labctl ]; then $(BIN)/labctl down; fi
	rm -rf $(VENV) .lab .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
