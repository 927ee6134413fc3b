# kiln's own tasks. Each does all the set-up it needs, also on a fresh Debian machine.
#
#   make build   release binary, statically linked
#   make demo    examples/kiro from a clean clone to running images: cold, no-op, source edit
#   make test    everything CI runs: format, lints, docs, unit, command line and engine tests
#   make lint    format, clippy, docs, licences and sources
#   make unit    the quick tests only: no engine, no cargo
#   make rules-matrix    what kiln says about rollup configurations against the recorded answers of rollup, all 2,916
#   make rollup-matrix   what kiln says about rollup configurations against real rollups and Nodes (needs npm): minutes
#   make sqlx-test  query data against a real PostgreSQL and MariaDB, which it installs; compiles sqlx-cli, so it is no part of `make test`

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.PHONY: build demo test lint unit cargo-test browser-test engine-test engine-test-long bench-twice bench-test-containerd lifecycle-test-containerd sqlx-test rules-matrix rollup-matrix
.PHONY: setup fmt clippy doc deny workflows clean

HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
KILN := target/$(HOST)/release/kiln

setup:
	@testbed/setup

# `crt-static` makes one binary that runs in every Linux base image; `--target` keeps it away from procedural macros.
build: setup
	RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target $(HOST) -p kiln-cli
	@echo "$(KILN)"

demo: build
	testbed/demo $(KILN)

test: fmt clippy doc unit rules-matrix cargo-test browser-test engine-test

lint: fmt clippy doc deny workflows

fmt: setup
	cargo fmt --all --check

clippy: setup
	cargo clippy --workspace --all-targets --locked -- -D warnings

doc: setup
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

unit: setup
	cargo test --workspace --locked --lib --bins
	cargo test --workspace --locked --test npm --test records --test streams --test rules --test buildkit --test cli

# Recipes, units and the guard against cargo itself, on small workspaces: minutes.
cargo-test: setup
	cargo test --workspace --locked --test recipe_exact --test cook --test same_units --test guard --test sqlx_offline

# The page of `kiln report` in a real browser, which is installed where that can be done; skipped, and said so, where not.
browser-test: setup
	@if testbed/browser; then cargo test --locked -p kiln-cli --test browser -- --include-ignored --test-threads=1 --nocapture; fi

# Minutes each on a busy machine (2 to 4 of them at a load of 15 on 2 cores): engines of their own, a garbage collection that comes once a
# minute, whole base images that are pushed, dozens of builds. So they are no part of `make test`.
LONG := make:: faults:: collection:: cache::the_workflow predict::shapes
engine-test: build
	testbed/engine up
	testbed/images $$($(KILN) plan --json --project examples/kiro | sed -nE 's/^ +"(build|runtime)": "([^" ]+:[^" ]+)",?$$/\2/p' | sort -u)
	testbed/registry up
	eval "$$(testbed/engine env)"; eval "$$(testbed/registry env)"; KILN_TEST_BINARY=$(CURDIR)/$(KILN) cargo test --locked -p kiln-cli --test engine -- --ignored --test-threads=1 --skip sqlx:: --skip quiet:: $(LONG:%=--skip %)

engine-test-long: build
	testbed/engine up
	testbed/images $$($(KILN) plan --json --project examples/kiro | sed -nE 's/^ +"(build|runtime)": "([^" ]+:[^" ]+)",?$$/\2/p' | sort -u)
	testbed/registry up
	eval "$$(testbed/engine env)"; eval "$$(testbed/registry env)"; KILN_TEST_BINARY=$(CURDIR)/$(KILN) cargo test --locked -p kiln-cli --test engine -- --ignored --test-threads=1 $(LONG)

# Two quick benches of examples/kiro on a machine that does nothing else: do they agree? It prints both, and fails where they do not.
bench-twice: build
	testbed/engine up
	testbed/images $$($(KILN) plan --json --project examples/kiro | sed -nE 's/^ +"(build|runtime)": "([^" ]+:[^" ]+)",?$$/\2/p' | sort -u)
	eval "$$(testbed/engine env)"; KILN_TEST_BINARY=$(CURDIR)/$(KILN) cargo test --locked -p kiln-cli --test engine -- --ignored --nocapture quiet::

# What a bench leaves with the containerd store, on new engines: minutes.
bench-test-containerd: build
	testbed/bench-containerd $(KILN)

# Warming, status and cleaning with the containerd store, on engines of their own: minutes.
lifecycle-test-containerd: build
	testbed/engine up --name containerd --store containerd
	eval "$$(testbed/engine env --name containerd)"; testbed/images rust:1.95.0-slim-bookworm debian:bookworm-slim; testbed/registry up --engine containerd; \
	eval "$$(testbed/registry env)"; export KILN_TESTBED_STORE=containerd; \
	KILN_TEST_BINARY=$(CURDIR)/$(KILN) cargo test --locked -p kiln-cli --test engine -- --ignored --test-threads=1 lifecycle:: make:: warm:: faults::
	testbed/registry down --engine containerd
	testbed/engine down --name containerd --purge

# Query data from real databases. Its first run compiles sqlx-cli for each of them into target/sqlx-tools, which takes minutes.
sqlx-test: build
	testbed/postgres
	testbed/mariadb
	testbed/engine up
	testbed/images $$($(KILN) plan --json --project examples/kiro | sed -nE 's/^ +"(build|runtime)": "([^" ]+:[^" ]+)",?$$/\2/p' | sort -u)
	eval "$$(testbed/engine env)"; KILN_TOOLS=$(CURDIR)/target/sqlx-tools KILN_TEST_BINARY=$(CURDIR)/$(KILN) cargo test --locked -p kiln-cli --test engine -- --ignored --test-threads=1 sqlx::

# `make unit` takes a sample of it.
rules-matrix: setup
	cargo test --locked -p kiln --test rules -- --ignored rules_fire

ROLLUP_LAB ?= target/rollup-lab
rollup-matrix: setup
	testbed/rollup-lab $(ROLLUP_LAB)
	KILN_ROLLUP_LAB=$(abspath $(ROLLUP_LAB)) cargo test --locked -p kiln --test rules -- --ignored rollup_does
	@cat $(ROLLUP_LAB)/summary.txt

deny: setup
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny check bans licenses sources

# The workflow that `kiln init --ci github` writes; `make unit` compares it with what kiln would write now.
workflows:
	testbed/workflows examples/kiro/.github/workflows/images.yml

clean:
	cargo clean
