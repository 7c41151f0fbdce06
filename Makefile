# Every target is one command of ./run; see ./run --help.
INSTANCE ?= main
PORT ?= 8000
ARGS ?=
.DEFAULT_GOAL := help
.PHONY: help setup serve worker shell password plugin test lint type cov bench bench-large

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## */\t/' | expand -t 12
setup: ## make the virtual environment and an instance's folder
	@./run setup --instance $(INSTANCE)
serve: ## serve an instance: make serve PORT=8001 INSTANCE=jacmel
	@./run serve --instance $(INSTANCE) --port $(PORT)
worker: ## run a background worker for an instance
	@./run worker --instance $(INSTANCE)
shell: ## open a Python shell inside an instance
	@./run shell --instance $(INSTANCE)
password: ## give an instance's administrator a new password
	@./run password --instance $(INSTANCE)
plugin: ## pack the plugin into dist/web2py.plugin.sync.w2p
	@./run plugin
test: ## run the tests: make test ARGS="tests/host -x"
	@./run test $(ARGS)
lint: ## check style
	@./run lint $(ARGS)
type: ## check types
	@./run type $(ARGS)
cov: ## run the tests and show which lines they miss
	@./run test -m "not alone" --cov=modules --cov-report=term-missing $(ARGS)
bench: ## run the benchmarks
	@./run bench $(ARGS)
bench-large: ## run the benchmarks with a million rows too; takes an hour or more
	@./run bench --large $(ARGS)
