# Two commands do everything on a fresh Debian 12 machine that has Rust, git and make: `make demo` and `make test`.
.PHONY: help demo build test fmt
.DEFAULT_GOAL := help

help: ## Shows this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 16

demo: build ## Builds Encamp, starts it and runs a web service on it until Ctrl-C
	@.ci/demo

build: ## Builds target/demo/encamp, installing first what the build needs
	@.ci/setup build
	@cargo build --profile demo --locked

test: ## Runs what a change must pass: format, lints, licences, docs, every test
	@.ci/run

fmt: ## Formats the code
	@cargo fmt --all
