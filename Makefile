# Every target sets up what it needs in .venv. `make` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.core
DEV := $(VENV)/.dev
GPU_PYTHON ?= $(BIN)/python
GPU_NEEDS := $(if $(filter $(BIN)/python,$(GPU_PYTHON)),$(DEV))

.PHONY: help setup demo test test-slow check wheel-check bench gpu-check gpu-bench gpu-train graphs clean

help:
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(CORE): pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(DEV): $(CORE)
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	@touch $@

setup: $(DEV) ## install everything that development needs, into .venv

demo: $(CORE) ## brighten the demo clip: examples/night.mp4 -> night.bright.mp4
	$(BIN)/streamlight file examples/night.mp4 -o night.bright.mp4 -y

# Hundreds of processes import the package here: without kept bytecode each compiles it again
test test-slow: export PYTHONDONTWRITEBYTECODE :=

test: $(DEV) ## run the tests (minutes, on 2 cores)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow and not gpu and not clock"
	$(BIN)/python -m pytest -n 2 -m "clock and not slow and not gpu"

test-slow: $(DEV) ## run the slow tests too
	$(BIN)/python -m pytest -m "not gpu"

check: $(DEV) ## lint, format and types, as in CI
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

wheel-check: $(DEV) ## install the wheel in a fresh environment without torch, and use it
	.ci/wheel-check $(BIN)/python

bench: $(DEV) ## measure the file pipeline against the loop that people write by hand
	$(BIN)/python benchmarks/file_throughput.py

# GPU_PYTHON=python3 takes an interpreter that has PyTorch and pytest, as it is: nothing is installed
gpu-check: $(GPU_NEEDS) ## run the tests that need an NVIDIA GPU, and fail without one
	STREAMLIGHT_REQUIRE_GPU=1 PYTHONPATH=. $(GPU_PYTHON) -m pytest -m gpu -o addopts= \
		-W ignore::pytest.PytestConfigWarning tests/gpu # where pytest-timeout is missing

gpu-bench: $(GPU_NEEDS) ## measure the networks on an NVIDIA GPU; figures to gpu-bench.json
	PYTHONPATH=. $(GPU_PYTHON) benchmarks/gpu_networks.py --json gpu-bench.json

DATA ?= data/train
RUNS ?= runs
STEPS ?= 60000
TRAIN ?= --device cuda --batch 16 --crop 256
EVAL := $(if $(LOW),--eval-dir $(LOW) $(HIGH)) $(if $(KODAK),--eval-kodak $(KODAK))
INDEX_OPTION := $(if $(INDEX),--index $(INDEX))

gpu-train: $(DEV) ## train both networks on a GPU, evaluate and export; again to go on: DATA= LOW= HIGH= KODAK= INDEX=
	@for model in gladnet gladnet-fast; do \
	  run=$(RUNS)/$$model-trained; \
	  $(BIN)/python -m streamlight train $(DATA) --model $$model --init seed --steps $(STEPS) \
	    $(TRAIN) $(EVAL) $(INDEX_OPTION) --out $$run --resume && \
	  $(BIN)/python -m streamlight export --model $$run/$$model-trained.safetensors -y \
	    || exit 1; \
	done

graphs: $(DEV) ## export the packaged ONNX graphs again
	$(BIN)/python -m streamlight.models.export

clean: ## remove what the targets made
	rm -rf $(VENV) dist build night.bright.mp4 gpu-bench.json .mypy_cache .ruff_cache .pytest_cache
