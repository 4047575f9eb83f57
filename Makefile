# What CONTRIBUTING.md says to run. PYTHON is the one that has the extra `dev`: make test PYTHON=python3
PYTHON ?= .venv/bin/python
# What builds the image of the package in dist: make container ENGINE=docker
ENGINE ?= $(if $(shell command -v podman),podman,docker)
# The rooms that compute: no kernel, no terminal, no machine, a few seconds.
QUICK = tests/kernel tests/render tests/live tests/origins tests/scenario tests/test_architecture.py

.PHONY: lint test test-quick vm pyz deb container rpm release

lint:
	$(PYTHON) -m ruff check . && $(PYTHON) -m ruff format --check . && $(PYTHON) -m mypy

# Those that touch the machine one after the other, then the rest two at a time.
test:
	$(PYTHON) -m pytest -m machine && $(PYTHON) -m pytest -n 2 -m 'not machine'

test-quick:
	$(PYTHON) -m pytest -q $(QUICK)

vm:
	$(PYTHON) -m pytest -m vm --lab

pyz:
	$(PYTHON) packaging/pyz.py

deb:
	PYTHON=$(PYTHON) packaging/build_deb.sh && PYTHON=$(PYTHON) packaging/try_deb.sh

container:
	$(ENGINE) build -t oomadm -f packaging/container/Containerfile .

rpm:
	PYTHON=$(PYTHON) packaging/build_rpm.sh

# make release VERSION=1.2.3
release:
	$(PYTHON) packaging/release.py $(VERSION)
