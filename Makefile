# Everything a person types. `make serve` and `make test` set up what they need.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin
RUN := $(BIN)/python
.DEFAULT_GOAL := help
IMAGE_TOOLS := buildah mmdebstrap newuidmap unshare
.PHONY: help setup serve test test-slow check format conformance chaos bench docs image-test clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

.venv/base: pyproject.toml constraints.txt hatch_build.py $(wildcard kernels/pelton_kernels/*.c runtime/pelton/compiled/*.[ch])
	@test -n "$(PYTHON)" || { echo "pelton needs Python 3.11 or later with venv; set PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(RUN) || $(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --upgrade "pip>=25.1"
	$(RUN) -m pip install --quiet --constraint constraints.txt --editable ".[demo]"
	$(RUN) -m compileall -q runtime kernels
	@touch $@

.venv/dev: .venv/base
	$(RUN) -m pip install --quiet --constraint constraints.txt --group dev
	@touch $@

setup: .venv/dev ## install everything into .venv

serve: .venv/base ## train, log and serve a small scikit-learn model on 127.0.0.1:8080
	@$(RUN) -m benchmarks.demo

check: .venv/dev ## format, lint, types, layers
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev ## format and fix
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

test: check ## check, then every test that is not slow
	$(RUN) -m pytest -m "not slow" -n 2 --dist loadgroup

test-slow: check ## every test
	$(RUN) -m pytest -n 2 --dist loadgroup

conformance: .venv/dev ## compare pelton with MLflow's own server, byte for byte
	$(RUN) -m tests.conformance --jobs 2

chaos: .venv/dev ## two minutes of faults under load; reloads, leaks, scaling
	$(RUN) -m benchmarks.chaos
	$(RUN) -m benchmarks.reload
	$(RUN) -m benchmarks.leak --seconds 60
	$(RUN) -m benchmarks.scaling
	$(RUN) -m benchmarks.forkserver

image-test: .venv/dev ## build and run a container image without a container engine
	@for tool in $(IMAGE_TOOLS); do command -v $$tool >/dev/null || { echo "image-test needs $$tool;" \
		"on Debian: apt-get install buildah mmdebstrap uidmap util-linux"; exit 1; }; done
	@test "$$(id -u)" = 0 || { echo "image-test needs root, for mmdebstrap and chroot"; exit 1; }
	$(RUN) -m pytest tests/image

bench: .venv/dev ## measure against `mlflow models serve` and peers
	$(RUN) -m benchmarks run

bench-tiers: .venv/dev ## prove every workload type's memory budget that fits this machine
	$(RUN) -m benchmarks tiers --docs

docs: .venv/dev ## write the generated pages
	$(RUN) -m pelton.settings > docs/configuration.md
	$(RUN) -m pelton.lifecycle > docs/lifecycle.md

clean: ## remove what was set up and cached
	rm -rf .venv .cache
