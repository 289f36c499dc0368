# Two commands do everything on a fresh Debian 12 machine that has Rust, git and make: `make demo` and `make test`.
.PHONY: help demo build test bench campaign fmt
.DEFAULT_GOAL := help

help: ## Shows this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 16

demo: ## Builds Encamp quickly, starts it and runs a web service on it until Ctrl-C
	@.ci/setup build
	@cargo build --locked
	@.ci/demo

build: ## Builds target/release/encamp, installing first what the build needs
	@.ci/setup build
	@cargo build --locked --release

test: ## Runs what a change must pass: format, lints, licences, docs, every test
	@.ci/run

bench: ## Measures a release build beside a bare etcd: latency, bursts, idle
	@.ci/setup tests
	@cargo bench --bench chain

# The word after `campaign` is no target of its own.
ifeq (campaign,$(firstword $(MAKECMDGOALS)))
NAME ?= $(word 2,$(MAKECMDGOALS))
$(wordlist 2,9,$(MAKECMDGOALS)):
	@:
endif
campaign: ## Runs a campaign by name and SEED, such as `make campaign chaos`: see `How to test`
	@.ci/setup tests
	@.ci/campaign $(NAME)

fmt: ## Formats the code
	@cargo fmt --all
