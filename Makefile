SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PORT ?= 8080
TESTS ?= tests
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo up test test-quick fuzz check bench mutants requirements clean

help:  ## show this
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "make %-14s %s\n", $$1, $$2 }'

demo: $(INSTALLED)  ## simulate a shop, retrain and make its last two days' lists in Airflow
	@$(BIN)/python scripts/demo.py

up: export RISK_DOMAIN ?= shop
up: $(INSTALLED)  ## Airflow's UI on 127.0.0.1:8080 (PORT=…), until Ctrl-C
	@$(BIN)/python scripts/up.py --port $(PORT)

test: $(INSTALLED)  ## all tests, by two workers (TESTS=tests/ingest for some)
	$(BIN)/python -m pytest $(TESTS) -n $(WORKERS) --dist loadfile --durations 15

test-quick: $(INSTALLED)  ## the tests that need neither Airflow nor a trained model, for the loop
	$(BIN)/python -m pytest $(TESTS) -n $(WORKERS) --dist loadfile -m "not slow and not airflow and not story"

fuzz: $(INSTALLED)  ## some 6,000 files by grammar and by mutation, held against a naive reader: about ten minutes
	$(BIN)/python -m pytest tests/fuzz -n $(WORKERS) --dist worksteal --timeout 0 --hypothesis-profile fuzz

check: $(INSTALLED)  ## ruff, mypy, sqlfluff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint dbt_project/models dbt_project/tests

bench: $(INSTALLED)  ## every benchmark in benchmarks/, one after the other
	@for file in $$(grep -l __main__ benchmarks/*.py | grep -v mutants); do echo "== $$file"; $(BIN)/python $$file || exit $$?; done

mutants: $(INSTALLED)  ## would the tests notice? Thirty faults, one at a time (half an hour)
	$(BIN)/python benchmarks/mutants.py

# CUDA's packages are left out: pip takes a CPU build of torch where one is offered, and adds CUDA itself elsewhere.
# Versions stay as they are while they fit; newer ones: make requirements UPGRADE=--upgrade
requirements: $(INSTALLED)  ## compile requirements.in into requirements.txt
	@$(BIN)/pip install --quiet uv
	cp requirements.txt requirements.new
	$(BIN)/uv pip compile --quiet --python-version 3.11 --no-header --no-annotate $(UPGRADE) \
		--output-file requirements.new requirements.in
	sed -i -E '/^(nvidia|cuda|triton)/d' requirements.new
	mv requirements.new requirements.txt

clean:  ## remove the virtual environment and Airflow's home, never your data
	rm -rf $(VENV) .airflow

$(INSTALLED): requirements.txt requirements.in pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null \
		|| { echo "error: Dawnlist needs Python 3.11, and '$(PYTHON)' is not it" >&2; \
		     echo "  to fix: apt-get install python3.11 python3.11-venv, or make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "error: this Python cannot make virtual environments" >&2; \
		     echo "  to fix: apt-get install python3.11-venv" >&2; exit 2; }
	@echo "installing into $(VENV): about 2 minutes and 2.5 GB"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@
