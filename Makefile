# One profile (dev, dependencies optimised) and one target folder for demo, test and bench: what
# takes long is built once. CARGO_TARGET_DIR and TRUEUP_CACHE move the two folders.

# Options of `trueup demo`, as ARGS="--seconds 60".
ARGS ?=
# Seconds of `make soak`.
DURATION ?= 600
# Seconds of `make fuzz` for each target; which ones, and how many at once.
SECONDS_EACH ?= 60
TARGETS ?=
JOBS ?= 2
# Rows of `make size`.
ROWS ?= 5000000
# Options of cargo, as CARGO_ARGS="--release".
CARGO_ARGS ?=
# BUNDLED=1 builds DuckDB into the binary, from source: it takes long.
ifdef BUNDLED
duckdb = bundled
override CARGO_ARGS += --features bundled --config .cargo/bundled.toml
else
duckdb = duckdb
endif

.PHONY: help setup build demo test soak size fuzz lint fmt clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Fetch what is missing: libduckdb, PostgreSQL and MariaDB programs; no root, no service
	@scripts/setup $(duckdb) servers

build: setup ## Build the trueup binary
	cargo build --locked $(CARGO_ARGS)

demo: setup ## Run the whole system on private databases; ARGS="--seconds 60" ends it by itself
	cargo build --locked $(CARGO_ARGS)
	cargo run --locked --quiet $(CARGO_ARGS) -- demo $(ARGS)

test: setup ## Run every test, then say what it answers and what was skipped
	scripts/test $(CARGO_ARGS)

soak: setup ## Do everything at random for long, then compare row by row; DURATION=600, TRUEUP_SEED=… repeats
	scripts/soak $(DURATION) $(CARGO_ARGS)

fuzz: setup ## Throw random bytes at every decoder; SECONDS_EACH=600, TARGETS="rows json", JOBS=2
	@scripts/setup fuzz
	@SECONDS_EACH="$(SECONDS_EACH)" TARGETS="$(TARGETS)" JOBS="$(JOBS)" scripts/fuzz

size: setup ## Measure the memory through one transaction of ROWS=5000000 rows
	TRUEUP_SIZE_ROWS=$(ROWS) cargo test --locked $(CARGO_ARGS) --test main -- size:: --nocapture --test-threads=1

lint: setup ## Check format and lints as CI does
	cargo fmt --check
	cargo clippy --locked --all-targets $(CARGO_ARGS) -- -D warnings

fmt: ## Format the code
	cargo fmt

clean: ## Remove what cargo built; the cache folder of scripts/setup stays
	cargo clean
