# Chores of KubeFit. `make help` lists them; each does all the set-up it needs.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PROVISION := $(BIN)/python tests/cluster/provision
ROLES := operator cli
# tf_keras asks for `tensorflow`; tensorflow-cpu is the same for it.
TF_KERAS_ON_CPU := --group tf-keras --no-emit-package tensorflow
COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url \
  --no-emit-find-links --python-version 3.11
OTHER_KERAS := 3.14
PIP_AUDIT := 2.10.1
# Tests of training whose workers mostly compute; those of whole jobs mostly wait.
KERAS := tests/train/keras_multiworker
RECIPE := tests/train/recipe
# What the formats litert and onnx need beside a trainer's image.
EXPORT := ai-edge-litert backports-strenum onnx onnxruntime tf2onnx
# What backbones for images need; the rest of what keras-hub asks for brings `tensorflow` along.
KERAS_HUB := keras-hub regex sentencepiece tokenizers

# Where it is set, every process compiles TensorFlow's modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup quickstart test test-unit test-keras test-recipe test-jobs test-cluster lint docs generate kind cluster cluster-down images audit lock clean

help: ## Lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

setup: $(READY) ## Makes .venv from the locked requirements
$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "KubeFit needs Python 3.11 or later; set PYTHON=...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

quickstart: $(READY) ## Trains handwritten digits on two local workers
	$(BIN)/python examples/01-digits/make_data.py runs/data/digits
	$(BIN)/kubefit run examples/01-digits/job.yaml --volume runs/data

# Each leaves the processors idle for a part of its time; the long ones come first.
test: lint ## Runs every test, those on a real cluster included
	$(MAKE) --jobs=3 --output-sync=target test-keras test-cluster test-jobs test-recipe test-unit

test-unit: $(READY)
	$(BIN)/pytest tests -m "not train and not cluster"

test-keras: $(READY)
	$(BIN)/pytest $(KERAS) -m train

test-recipe: $(READY)
	$(BIN)/pytest $(RECIPE) -m train

test-jobs: $(READY)
	$(BIN)/pytest tests/train tests/unit/cli -m train --ignore=$(KERAS) --ignore=$(RECIPE)

# Building the programs of a cluster takes longer than any test may.
test-cluster: $(READY)
	$(PROVISION) build
	$(BIN)/pytest tests/cluster tests/chart -m cluster

lint: $(READY) ## Checks style, types, import rules, dependencies and generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m kubefit.generate --check

docs: $(READY) ## Builds the site in docs/_build/html
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -c docs -d docs/_build/doctrees . docs/_build/html

generate: $(READY) ## Writes CRD, manifests, chart copies and reference docs from the models
	$(BIN)/python -m kubefit.generate

kind: $(READY) ## Makes a kind cluster, installs KubeFit in it and trains an example
	PATH="$(CURDIR)/$(BIN):$$PATH" deploy/kind/up.sh

cluster: $(READY) ## Gives a Kubernetes cluster with both images loaded
	$(PROVISION) up --images

cluster-down: $(READY) ## Takes that cluster away without a trace
	$(PROVISION) down

images: $(READY) ## Builds the images
	$(PROVISION) images

audit: $(READY) ## Looks for known vulnerabilities in the locked requirements
	for lock in $(sort $(wildcard requirements/*.txt)); do \
	  $(BIN)/uv tool run pip-audit@$(PIP_AUDIT) --require-hashes --disable-pip -r $$lock || exit; done

lock: $(READY) ## Rewrites the locked requirements from pyproject.toml
	for role in $(ROLES); do $(COMPILE) pyproject.toml --extra $$role --output-file requirements/$$role.txt || exit; done
	$(COMPILE) pyproject.toml --extra trainer-gpu --extra fetch --extra parquet --output-file requirements/trainer-gpu.txt
	$(COMPILE) pyproject.toml --extra trainer --extra fetch --extra parquet $(TF_KERAS_ON_CPU) --output-file requirements/trainer.txt
	$(COMPILE) pyproject.toml --extra operator --extra trainer --extra fetch --extra parquet --extra export --extra cli --group dev --group docs $(TF_KERAS_ON_CPU) \
	  --output-file requirements/dev.txt
	printf '%s\n' $(EXPORT) | $(COMPILE) --no-deps - --output-file requirements/export.txt
	printf '%s\n' $(KERAS_HUB) | $(COMPILE) --no-deps - --output-file requirements/keras-hub.txt
	echo 'keras==$(OTHER_KERAS).*' | $(COMPILE) --no-deps - --output-file requirements/keras-$(OTHER_KERAS).txt

clean: ## Removes what the targets made here
	rm -rf .venv runs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis docs/_build
