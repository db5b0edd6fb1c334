# Thin targets: each calls a tool or a script. Tools are installed by tools/setup and found through tools/env.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test e2e check bench fuzz image docs fmt clean

env := . tools/env;
binary := $$CARGO_TARGET_DIR/debug/ecr-gate
# The same selection everywhere, so that features resolve the same way and nothing is built twice.
build := cargo build --quiet --locked --workspace --bins --tests
pytest_flags ?= -n 6 --dist worksteal
suite = ECR_GATE_BIN="$(binary)" pytest -c tests/pytest.ini $(pytest_flags) tests/e2e

help: ## Show the targets
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: ## See the gate block and allow images on a loopback ECR
	@tools/setup demo
	@tools/fresh-target
	@$(env) tools/demo

test: ## Run every test: unit, crate, documentation, end to end
	@tools/setup test
	@tools/fresh-target
	@$(env) cargo nextest run --locked --workspace --no-fail-fast
	@$(env) if grep -rqE '^\s*//[/!] ```' crates/*/src; then cargo test --quiet --locked --workspace --doc; fi
	@$(env) $(build)
	@$(env) $(suite)

e2e: ## Run the end-to-end suite, beside real cosign, notation and Kubernetes
	@tools/setup test peers
	@tools/setup kubernetes || echo "e2e: no Kubernetes here; the tests that need it are skipped, and counted" >&2
	@tools/fresh-target
	@$(env) $(build)
	@$(env) ECR_GATE_EVERY_MUTANT=1 $(suite)

check: ## Check formatting, lints, dependencies, documentation, scripts
	@tools/setup check
	@tools/fresh-target
	@$(env) cargo fmt --all --check
	@$(env) shellcheck -x .ci/run $$(grep -lsE '^#!.*\b(ba)?sh$$' tools/* benches/* policies/* fuzz/* || true)
	@$(env) cargo deny --locked check --hide-inclusion-graph bans licenses sources
	@$(env) cargo clippy --locked --workspace --all-targets -- -D warnings
	@$(env) RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
	@$(env) $(build); "$(binary)" reference --check docs/reference

bench: ## Measure the gate side by side with others
	@tools/setup bench peers
	@tools/fresh-target
	@$(env) benches/run

fuzz: ## Run every fuzz target for a minute (ECR_GATE_FUZZ_SECONDS)
	@fuzz/run

image: ## Make the container image, without Docker: an OCI layout in target/image
	@tools/setup demo
	@tools/fresh-target
	@$(env) tools/image target/image

docs: ## Write docs/reference anew from the code
	@tools/setup check
	@tools/fresh-target
	@$(env) $(build); "$(binary)" reference docs/reference

fmt: ## Format the Rust code
	@cargo fmt --all

clean: ## Delete what was built; installed tools stay
	@$(env) cargo clean
