# Everything a developer or a stranger needs. `make up` and `make test` do all the set-up there is: see scripts/prepare.
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: up
up: ## build and start a server at http://darter.localhost:7070 (ARGS="--listen …" are passed on)
	@scripts/up $(ARGS)

.PHONY: test
test: ## every check and every test, a real browser included
	@scripts/test

.PHONY: bench
bench: ## the numbers of SPECIFICATION.md, side by side with nginx and bare node
	@scripts/bench $(ARGS)

.PHONY: build
build: ## the program, optimised, into dist/darter
	@scripts/build dist

.PHONY: check
check: ## the quick part of `make test`: format, laws, clippy
	@scripts/test quick

.PHONY: e2e
e2e: ## only the end-to-end tests
	@scripts/test e2e

.PHONY: fuzz
fuzz: ## every fuzz target for 30 seconds (ARGS="300 wire" for others)
	@scripts/fuzz $(ARGS)

.PHONY: generate
generate: ## the committed generated files: OpenAPI, API client, reference pages
	@scripts/generate

.PHONY: format
format: ## rustfmt
	@cargo fmt --all

.PHONY: clean
clean: ## remove what was built here (the cache outside the checkout stays)
	@rm -rf dist web/build web/.svelte-kit web/node_modules tests/e2e/node_modules tests/e2e/results
