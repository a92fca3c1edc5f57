# Everything runs in .venv. It is created if it is missing, and updated when pyproject.toml or
# constraints.txt change. `make help` lists the targets.

PYTHON ?= python3
BIN := .venv/bin
JOBS ?= 2
PACKAGES := cache classify extract reports toolkit
BENCHMARKS := extract precision resize telephone results cold.lesson cold.phases rivals.csearch rivals.classes rivals.forward rivals.pipeline scaling.large scaling.memory scaling.folders dense audit duplicates review shortcuts open_set evidence export finetune scaling.scale scaling.writers scaling.streamed scaling.thousand_classes scaling.training scaling.addresses scaling.serving

# Let Python byte-compile packages at their first import (see INSTALL), even if the shell forbids it.
unexport PYTHONDONTWRITEBYTECODE

# pip is half a minute faster without byte-compiling 2.5 GB, most of which is never imported.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
  -c constraints.txt --config-settings editable_mode=compat
# (compat: with setuptools' import hooks, a folder cache/ or reports/ in the working directory would
# shadow the package of that name.)

# Each process takes whole files, or the groups of files that tests/conftest.py names.
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

CHECK_OPENCV := $(BIN)/python -c 'import cv2' || { \
  echo 'OpenCV needs a system library; on Debian: apt-get install libgl1 libglib2.0-0' >&2; \
  exit 1; }

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test quick lint fast docs portable coverage reliability bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile
	@echo "Another Python (3.11 to 3.13): make PYTHON=python3.12 demo"
	@echo "Tests in more than 2 processes: make JOBS=8 test"

demo: .venv/run-stamp ## embed and classify drawn shapes, and print the accuracy of each classifier
	$(BIN)/python -m extract --data shapes
	$(BIN)/python -m classify --data shapes --clf all

test: quick docs ## check and test everything
	$(PYTEST) --doctest-modules -m 'slow and not photographs and not exhaustive' tests classify/networks extract/backbones
	$(BIN)/python -m pytest -m 'photographs and not exhaustive' tests/test_photographs.py tests/test_photographs_evidence.py tests/extract

quick: lint fast ## check everything and run the fast tests

lint: .venv/dev-stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fast: .venv/dev-stamp
	$(PYTEST) --doctest-modules -m 'not slow and not photographs' tests $(PACKAGES)

portable: .venv/dev-stamp ## run the whole job without the modules that Windows lacks, a part of make test
	$(BIN)/python -m pytest tests/test_portable.py

coverage: .venv/dev-stamp ## measure which lines and branches the tests run, subprocesses included
	@mkdir -p build
	$(PYTEST) -m 'not photographs and not exhaustive' --cov --cov-report=term:skip-covered --cov-report=html:build/coverage

docs: .venv/dev-stamp ## build the pages of docs/ and the API reference, with no network and no warnings
	$(BIN)/python -m sphinx --quiet --nitpicky --fail-on-warning --fresh-env \
	  --doctree-dir build/doctrees docs build/docs
	@echo "build/docs/index.html"

reliability: .venv/dev-stamp ## break everything on purpose, with the full counts (under half an hour)
	@mkdir -p build/reliability; started=$$(date +%s); broken=; \
	echo $(sort $(shell grep -l '^if __name__' tests/reliability/*.py)) | xargs -P 2 -n 1 sh -c ' \
	  log=build/reliability/$$(basename $$0 .py); \
	  $(BIN)/python $$0 --full > $$log.txt 2> $$log.log; status=$$?; \
	  echo "== $$0: $$(tail -n 1 $$log.txt)"; exit $$status' || broken=yes; \
	echo "== $$(( $$(date +%s) - started )) seconds in all; build/reliability/ has the full output"; \
	$(PYTEST) -m exhaustive || broken=yes; \
	[ -z "$$broken" ] || { echo "promises were broken" >&2; exit 1; }

bench: .venv/dev-stamp ## measure every figure of docs/benchmarks.md, one benchmark after the other, and write its table
	@$(BIN)/python -c 'from benchmarks.rivals import turns; turns.interpreter()'
	set -e; for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done
	$(BIN)/python -m benchmarks.common.table

clean: ## remove .venv and everything that building and testing made; keep runs/ and data/
	rm -rf .venv build dist *.egg-info .*_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/run-stamp: .venv/stamp pyproject.toml constraints.txt
	$(INSTALL) -e .
	@$(CHECK_OPENCV)
	@touch $@

.venv/dev-stamp: .venv/stamp pyproject.toml constraints.txt
	$(INSTALL) -e '.[dev]'
	@$(CHECK_OPENCV)
	@touch .venv/run-stamp $@

.venv/stamp:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { \
	  echo "Python 3.11 to 3.13 is needed, and $(PYTHON) is: $$($(PYTHON) --version 2>&1)" >&2; \
	  echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
	  exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@
