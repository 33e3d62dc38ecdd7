# `make` lists the verbs. Everything happens inside this folder: .venv, target, dist, runs.

VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
SEED ?= 1
SIZE ?= ci
RUST_SOURCES := Cargo.toml Cargo.lock pyproject.toml $(shell find crates -name '*.rs' -o -name 'Cargo.toml')

# Another activated environment must not leak into this one; cargo may be installed but not yet on PATH.
export VENV
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PYO3_PYTHON := $(CURDIR)/$(VENV)/bin/python
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH):$(HOME)/.cargo/bin
unexport CONDA_PREFIX PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help setup build demo test test-rust test-python twins simulate torture loom check lint format types architecture wheel \
	bench bench-matching bench-backtest bench-import bench-journal flame lock clean determinism golden

help: ## list the verbs
	@echo "make VERB, with VERB one of:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{ printf "  %-16s %s\n", $$1, $$2 }' Makefile

# ---- environment and build. A stamp is younger than what it was made from, so a second call does nothing.

$(VENV)/.created: scripts/environment.sh
	@scripts/environment.sh check
	@scripts/environment.sh create
	@touch $@

$(VENV)/.runtime: $(VENV)/.created uv.lock
	@scripts/environment.sh install build
	@touch $@

$(VENV)/.development: $(VENV)/.created uv.lock
	@scripts/environment.sh install development
	@touch $@ $(VENV)/.runtime

$(VENV)/.built: $(RUST_SOURCES) | $(VENV)/.runtime
	@scripts/environment.sh check
	@echo "compiling the engine (some minutes the first time)"
	@PIP_QUIET=1 $(BIN)/maturin develop --release --locked
	@touch $@

setup: $(VENV)/.development ## make .venv with the locked development tools
build: $(VENV)/.built ## compile the engine into .venv (nothing to do when nothing changed)

# ---- use

demo: $(VENV)/.built ## build, backtest real data, write a report, replay it and prove it is the same
	@$(BIN)/openbell demo
	@echo "   (. $(BIN)/activate puts openbell on your path)"

# ---- tests

test: test-rust test-python ## build and run every test

test-rust: $(VENV)/.created ## the kernel's own tests
	cargo test --workspace --exclude openbell-python --locked --quiet
	cargo test -p openbell-simulation --features sabotage --test sabotage --locked --quiet

test-python: $(VENV)/.development $(VENV)/.built ## the tests of the Python side, on the compiled engine
	$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

twins: $(VENV)/.development $(VENV)/.built ## the engine beside slow obvious twins over many generated sequences (SEQUENCES=50000 SEED=n)
	OPENBELL_SEQUENCES=$(or $(SEQUENCES),50000) OPENBELL_SEED=$(SEED) nice -n 10 $(BIN)/python -m pytest -n $(WORKERS) --timeout=0 \
		$(wildcard tests/kernel/test_*_against_twin.py)
	OPENBELL_SEQUENCES=$(or $(SEQUENCES),50000) nice -n 10 cargo test -p openbell-kernel --test matching_orders --locked --quiet

determinism: $(VENV)/.development $(VENV)/.built ## one seeded run in every build, hash seed, zone and locale, from every snapshot (RECORDS=10000000)
	nice -n 5 $(BIN)/python -m tests.replay.determinism_matrix --records $(or $(RECORDS),10000000) --builds debug release

simulate: $(VENV)/.created ## tell one simulated history of crashes in words: SEED=8123, or the name of a case
	@cargo run --quiet --locked -p openbell-simulation -- case $(SEED)

torture: $(VENV)/.development $(VENV)/.built ## every proof of journal and snapshots on one scorecard: disks, kills, threads, memory; SIZE=ci or long
	@$(BIN)/python -m tests.simulation.scorecard $(SIZE)

.PHONY: memory-check
memory-check: $(VENV)/.created ## the code that counts memory and what threads share, under valgrind's memcheck
	@scripts/memory_check.sh

golden: $(VENV)/.development $(VENV)/.built ## make the golden journals of today's format and rules again, on purpose
	$(BIN)/python -m tests.golden.make

loom: $(VENV)/.created ## every interleaving of the rings, the published sequence, sleep and wake, as models
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo test -p openbell-simulation --test loom --locked --quiet

check: lint types architecture test loom ## exactly what CI runs: lint, types, architecture, every test, the models of the threads

lint: $(VENV)/.development ## ruff, rustfmt and clippy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings

format: $(VENV)/.development ## rewrite Python and Rust in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cargo fmt --all

types: $(VENV)/.development $(VENV)/.built ## mypy --strict, and the stub of the compiled module against the module
	$(BIN)/mypy
	MYPYPATH=src $(BIN)/python -m mypy.stubtest openbell._kernel

architecture: $(VENV)/.development $(VENV)/.built ## layers, purity, names, frozen public API and messages
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/architecture

.PHONY: kill
kill: $(VENV)/.development $(VENV)/.built ## kill -9 an exchange under load and check what it acknowledged (KILLS=100, SEED=n)
	$(BIN)/python -m tests.simulation.kill_exchange --kills $(or $(KILLS),100) $(if $(SEED),--seed $(SEED))

.PHONY: lobster
lobster: $(VENV)/.development $(VENV)/.built ## a day of NASDAQ through our book, compared row by row with LOBSTER's levels
	@$(BIN)/python -m tests.oracles.lobster_day

# ---- distribution

wheel: $(VENV)/.created ## build a manylinux wheel and run the demo from it, without cargo, in an empty environment
	@scripts/environment.sh install wheel
	@scripts/wheel.sh

# ---- measurements: ours, the plain reference and peers, as ratios in one run

BENCHES := backtest import matching journal replay restart exchange
FIGURES := $(CURDIR)/target/bench-figures.tsv

bench: ## every benchmark, then one table of what was measured beside its target (some 20 minutes)
	@mkdir -p target && : > $(FIGURES)
	@for one in $(BENCHES); do OPENBELL_BENCH_FIGURES=$(FIGURES) $(MAKE) --no-print-directory bench-$$one || exit 1; done
	$(BIN)/python -m benchmarks.figures $(FIGURES)

# Alone it keeps its figures in a file of its own and prints them beside their targets; within `make bench` the last
# table has them.
MATCHING_FIGURES := $(CURDIR)/target/matching-figures.tsv

bench-matching: $(VENV)/.development ## orders matched per second, native and from Python, beside the reference and the targets
	@cargo bench -p openbell-kernel --bench matching --locked --no-run
	@rm -f $(VENV)/.built # the next verb builds without the benchmark's own entry points again
	@PIP_QUIET=1 $(BIN)/maturin develop --release --locked --features bench
	@rm -f $(MATCHING_FIGURES)
	$(MATCHING_RUN) cargo bench -p openbell-kernel --bench matching --locked
	$(MATCHING_RUN) $(BIN)/python -m benchmarks.matching
	@$(if $(OPENBELL_BENCH_FIGURES),:,$(BIN)/python -m benchmarks.figures $(MATCHING_FIGURES) --only matching)

MATCHING_RUN = OPENBELL_BENCH_FIGURES=$(or $(OPENBELL_BENCH_FIGURES),$(MATCHING_FIGURES))

flame: $(VENV)/.created ## a flame graph of the matching benchmark: flame.svg
	@scripts/flame.sh flame.svg

bench-journal: $(VENV)/.development $(VENV)/.built ## records made durable per second, beside a probe of the disk
	cargo bench -p openbell-kernel --bench journal --locked
	cargo bench -p openbell-kernel --bench live --locked
	$(BIN)/python -m benchmarks.journal_from_python

.PHONY: bench-replay
bench-replay: $(VENV)/.created ## order records replayed per second, state hash on and off
	cargo bench -p openbell-kernel --bench replay --locked

.PHONY: bench-restart
bench-restart: $(VENV)/.development $(VENV)/.built ## an exchange back after a kill, a million records behind its snapshot
	$(BIN)/python -m benchmarks.restart

.PHONY: bench-exchange
bench-exchange: $(VENV)/.development $(VENV)/.built ## order to durable acknowledgment over WebSocket, beside an echo
	$(BIN)/python -m benchmarks.exchange

bench-backtest: $(VENV)/.development $(VENV)/.built ## bars and callbacks per second, against another backtester
	$(BIN)/python -m benchmarks.backtest

bench-import: $(VENV)/.development $(VENV)/.built ## time and memory of `import openbell`
	$(BIN)/python -m benchmarks.import_cost

# ---- upkeep

lock: $(VENV)/.created ## resolve the dependencies anew (LOCK_ARGS=--upgrade for newer versions)
	@scripts/environment.sh lock $(LOCK_ARGS)
	cargo update --workspace

clean: ## remove everything that was built: .venv, target, dist, caches (not runs)
	rm -rf $(VENV) target dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src -name '*.so' -delete
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
