# Needs Python 3.11 or newer, make and git. `make demo` and `make test` do the rest.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# A project of its own, so that the demo leaves the checkout's registry alone.
DEMO_REGISTRY ?= $(VENV)/demo/registry.db

.PHONY: demo test lint clean live-check live-check-asked

demo: $(VENV)/installed
	rm -rf $(VENV)/demo
	$(BIN)/tunekit plan -f experiments/quickstart.yaml --registry $(DEMO_REGISTRY)
	$(BIN)/tunekit apply -f experiments/quickstart.yaml --registry $(DEMO_REGISTRY) --yes --wait
	$(BIN)/tunekit status --registry $(DEMO_REGISTRY)
	$(BIN)/tunekit metrics quickstart --plot --registry $(DEMO_REGISTRY)
	$(BIN)/tunekit evaluate quickstart --show 3 --registry $(DEMO_REGISTRY)

test: $(VENV)/installed-dev lint
	$(BIN)/python -m pytest -n auto

# Asks before it spends, and refuses more than MOST_USD: see the README.
LOCATION ?= us-central1
MOST_USD ?= 1
live-check: live-check-asked $(VENV)/installed-vertex
	$(BIN)/python tests/live/check.py --project '$(PROJECT)' --bucket '$(BUCKET)' \
	  --location '$(LOCATION)' --most-usd '$(MOST_USD)' $(LIVE_CHECK_FLAGS)

# Before anything is installed.
live-check-asked:
	@test -n '$(PROJECT)' && test -n '$(BUCKET)' || { \
	  echo 'live-check needs a project and a bucket: make live-check PROJECT=my-project BUCKET=my-bucket' >&2; \
	  exit 2; }

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-vertex: $(VENV)/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[vertex]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache
