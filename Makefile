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

.PHONY: stories
stories: .venv/.installed ## record the clusters that tests/scenarios asks about anew (NAMES="overlay bgp"; else all)
	@PYTHONPATH=tests:. $(PYTHON) -m scenarios.record $(NAMES)

.PHONY: testbed-packages
testbed-packages: ## as root on Debian or Ubuntu: install the system's packages that the test bed needs
	@sh tests/testbed/system.sh

.PHONY: cluster
cluster: .venv/.installed ## bring a test cluster up (NAME=dev CLUSTER="--nodes 3 --proxy nftables"), and say how to use it
	@$(TESTBED) up --name $(NAME) $(CLUSTER)

.PHONY: cluster-down
cluster-down: .venv/.installed ## remove it, and everything that it left
	@$(TESTBED) down --name $(NAME)

.PHONY: vm
vm: .venv/.installed ## run COMMAND (else: bring up a cluster with IPVS and WireGuard) in a virtual machine with all of Linux's modules
	@$(TESTBED) vm -- $(COMMAND)

.PHONY: test
test: .venv/.installed ## all checks and tests that this machine can run
	@sh tests/prepare.sh
	@$(MAKE) --no-print-directory check
	.venv/bin/pytest -q tests

.PHONY: check
check: .venv/.installed ## format, lint, types and the rules of the house
	.venv/bin/ruff format --check -q .
	.venv/bin/ruff check -q .
	.venv/bin/mypy kubectl_packetpath agent/packetpath_agent tests

.PHONY: demo
demo: .venv/.installed ## a namespace at a glance, and the path of two of its Services, one broken, from a recording of a real cluster
	@sh docs/demo.sh

.PHONY: bench
bench: .venv/.installed ## costs on a node with 10,000 Services, side by side with the system's own tools
	@PYTHONPATH=.:agent:tests $(PYTHON) -m bench.run

.PHONY: fuzz
fuzz: .venv/.installed ## as root on Linux: made-up rulesets and packets, the walk against the kernel (SECONDS=600 SEED=...)
	@SECONDS_TO_RUN=$(SECONDS) SEED=$(SEED) PYTHONPATH=.:agent:tests $(PYTHON) -m fuzz.run

.PHONY: coverage
coverage: .venv/.installed ## as root on Linux: how much of the walk the tests that compare with the kernel reach, and what they do not
	@folder=$$(mktemp -d) && export COVERAGE_FILE=$$folder/data && \
	.venv/bin/coverage run --source=kubectl_packetpath/walk -m pytest -q -m 'kernel and not vm' tests/kernel tests/fuzz; \
	.venv/bin/coverage json -q -o $$folder/report.json && PYTHONPATH=tests $(PYTHON) -m fuzz.reach $$folder/report.json; rm -r $$folder

.PHONY: kind
kind: .venv/.installed ## with Docker: a kind cluster, the agent's image, demo Services, one path (MODE=iptables|nftables)
	@sh tests/kind/run.sh $(MODE)
