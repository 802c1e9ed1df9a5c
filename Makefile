# What one can do here. A bare `make` lists it.
PYTHON := .venv/bin/python
TESTBED := PYTHONPATH=tests $(PYTHON) -m testbed
NAME ?= dev
CLUSTER ?= --nodes 3

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.installed: pyproject.toml
	test -x .venv/bin/python || python3 -m venv .venv
	.venv/bin/pip install -q -e '.[agent,test]'
	touch $@

.PHONY: testbed
testbed: .venv/.installed ## build all programs that a test cluster needs (once; then it costs nothing)
	@$(TESTBED) build

.PHONY: testbed-packages
testbed-packages: ## as root on Debian or Ubuntu: install the system's packages that the test bed needs
	@sh tests/testbed/system.sh

.PHONY: cluster
cluster: .venv/.installed ## bring a test cluster up (NAME=dev CLUSTER="--nodes 3 --proxy nftables"), and say how to use it
	@$(TESTBED) up --name $(NAME) $(CLUSTER)

.PHONY: cluster-down
cluster-down: .venv/.installed ## remove it, and everything that it left
	@$(TESTBED) down --name $(NAME)
