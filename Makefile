# Everything a checkout can do. Needs Python 3.11 with venv, and make; the rest is fetched by `setup`.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONFIG ?= configs/local.yaml
SHAPE ?= ramp
USERS ?= 32
RUN_TIME ?= 60s
BENCH ?= --plan short
EXTRAS ?= [dev]
STAMP := $(VENV)/.installed
SYSTEM := $(VENV)/.system
LOCUST := $(VENV)/.locust
CONTAINERS := $(VENV)/.containers
IMAGE ?= localhost/arr-coc:test
BASE ?= localhost/arr-coc-base:test
WHEELS := .wheels
# podman's and buildah's, which need no daemon
export STORAGE_DRIVER ?= overlay

.PHONY: help setup serve test check test-unit test-server test-system container container-test load bench \
	quality train constraints clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with everything in it

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.$(EXTRAS)'
	touch $@

serve: setup ## serve CONFIG (configs/local.yaml) on PORT (8000)
	@exec $(BIN)/python -m serve_app $(CONFIG)

test: check test-unit test-server ## all that CI runs

check: setup ## lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-unit: setup ## milliseconds to seconds each, no server
	$(BIN)/pytest -m "not server and not system and not container"

test-server: setup ## against a real server on this machine
	$(BIN)/pytest -m server

test-system: $(SYSTEM) ## what needs a browser or a second server
	$(BIN)/pytest -m system

$(SYSTEM): $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,system]'
	command -v chromium > /dev/null || { apt-get update && apt-get install --yes chromium; }
	command -v prometheus > /dev/null || \
		{ apt-get update && apt-get install --yes --no-install-recommends prometheus; }
	touch $@

container: $(CONTAINERS) ## build Dockerfile.gpu with the CPU's torch on a plain Debian, as IMAGE
	$(BIN)/hadolint Dockerfile.gpu
	podman image exists $(BASE) || \
		mmdebstrap --quiet --variant=minbase --include=ca-certificates,python3 bookworm - | podman import - $(BASE)
	buildah bud --isolation chroot --layers --file Dockerfile.gpu --tag $(IMAGE) \
		--volume $(CURDIR)/$(WHEELS):/wheels:ro --build-arg PIP_FIND_LINKS=/wheels --build-arg PIP_NO_INDEX=1 \
		--build-arg BASE=$(BASE) --build-arg REVISION=$$(git rev-parse HEAD) .
	podman history --format 'table {{.Size}} {{.CreatedBy}}' $(IMAGE)

container-test: container ## run the image as Cloud Run would: asked, stopped under load, out of memory
	IMAGE=$(IMAGE) $(BIN)/pytest -m container tests/system/container

# The image's wheels are those that this machine's pip finds, the CPU's torch where that is the one it is
# pointed at; the build itself asks no index.
$(CONTAINERS): $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,container]'
	$(BIN)/python -m pip wheel --quiet --wheel-dir $(WHEELS) --constraint constraints.txt \
		'.[container]' 'setuptools>=77'
	command -v buildah podman runc mmdebstrap > /dev/null || { apt-get update && \
		apt-get install --yes --no-install-recommends buildah iproute2 mmdebstrap podman runc; }
	touch $@

load: $(LOCUST) ## SHAPE (ramp, spike, soak) of USERS (32) for RUN_TIME (60s), on HOST or a server of CONFIG
	@$(BIN)/python -m load_tests.headless $(if $(HOST),--host $(HOST),--config $(CONFIG)) \
		--shape $(SHAPE) --users $(USERS) --run-time $(RUN_TIME)

$(LOCUST): $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,load]'
	touch $@

bench: setup ## this server and its peers side by side, as ratios into load_tests/results/bench: half an hour, resumable
	@$(BIN)/python -m load_tests.bench run $(BENCH)

quality: setup ## draw right answers against what they cost into load_tests/results: an hour on two cores, resumable
	$(BIN)/python -m arr_coc.quality --ablations

train: setup ## train the demo model again: about two hours on two cores, resumable
	$(BIN)/python -m arr_coc.demo.train

constraints: ## pin what a fresh environment resolves to
	rm -rf $(VENV).fresh
	$(PYTHON) -m venv $(VENV).fresh
	$(VENV).fresh/bin/python -m pip install --quiet --editable '.[dev,system,container]'
	echo '# Every package of the server and its checks, as tested together. Written by `make constraints`.' > constraints.txt
	$(VENV).fresh/bin/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' >> constraints.txt
	rm -rf $(VENV).fresh

clean: ## remove what was made here
	rm -rf $(VENV) $(WHEELS) .bench .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache *.egg-info
