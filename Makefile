# Everything a user types. Each target sets up what it needs first; `make help` lists them.

SHELL := /bin/bash
# The versions of Python that an environment may have, the one that CI has first. Superset has no more than one.
PYTHONS := 3.11 3.12 3.13
PYTHONS_OF_DASHBOARD := 3.11
# The commands run in the environment of the engine, the tests and tools in that of the pipeline.
VENV := $(if $(filter spark,$(CONTACT_ENGINE)),.venv-spark,.venv)
BIN := .venv/bin
DASHBOARD := .venv-dashboard/bin
COMPILE := uv pip compile -q --generate-hashes --no-strip-extras --no-annotate --no-header --python-version 3.11
COMPILE_FOR_PYTHONS := $(COMPILE) --universal
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)

# A refresh that files reach through a bucket, or whose versions go to one or to PostgreSQL, needs a library more.
FOR_REFRESHES := $(VENV)/ready \
	$(if $(value CONTACT_LANDING)$(value CONTACT_PUBLISH_TO),$(VENV)/ready-object-storage) \
	$(if $(value CONTACT_POSTGRES),$(VENV)/ready-postgres)

# The hub of the example: its last day is the last one of the data. It has no part in the buckets of another hub.
COMPLETE_JOURNEY := CONTACT_DATA_DIR=examples/complete_journey/data CONTACT_AS_OF=2017-12-31 \
	CONTACT_TIMEZONE=UTC CONTACT_CURRENCY=USD CONTACT_LANDING= CONTACT_PUBLISH_TO= \
	CONTACT_POSTGRES=

# Every path is one of this repository, so nothing is set up or removed in another folder.
ifneq ($(shell test Makefile -ef '$(lastword $(MAKEFILE_LIST))' && echo same),same)
$(error Run make in the folder of this Makefile, or with `make -C FOLDER`; nothing was done)
endif

# Neither Dagster nor dbt reports anything to anybody.
export DAGSTER_DISABLE_TELEMETRY := yes
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DO_NOT_TRACK := 1

# What a person types is handed over by the environment, where the shell does not look at it, and as it was typed:
# make would run the $(shell ...) in the name of a landed file.
override FILE := $(value FILE)
override TO := $(value TO)
override FROM := $(value FROM)
export FILE TO FROM
ifdef PORT
override PORT := $(value PORT)
export PORT
endif

.PHONY: help object-storage postgres demo run rebuild files preview quarantine retract why backup restore status soak export ui docs dashboard test check test-quick \
	test-dashboard test-postgres test-spark cluster-test java postgres-server example example-dlt test-dlt lint lint-python lint-sql \
	bench lock clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

demo: $(VENV)/ready  ## land a sample when nothing has landed, refresh, print both reports
	@$(VENV)/bin/python -m orchestration.cli demo

run: $(FOR_REFRESHES)  ## one refresh of what has landed, then both reports
	@$(VENV)/bin/python -m orchestration.cli run

rebuild: $(FOR_REFRESHES)  ## a full refresh from nothing but landing/ and kept/, then both reports
	@$(VENV)/bin/python -m orchestration.cli rebuild

files: $(VENV)/ready  ## each landed file with its state, and what to do
	@$(VENV)/bin/python -m orchestration.cli files

preview: $(VENV)/ready  ## how a file would be read, without loading it: make preview FILE=landing/orders/a.csv
	@$(VENV)/bin/python -m orchestration.cli preview -- "$$FILE"

quarantine: $(VENV)/ready  ## the rejected rows by file and reason, the newest first (CSV=yes: all, as a file)
	@$(VENV)/bin/python -m orchestration.cli quarantine $(if $(CSV),--csv)

retract: $(VENV)/ready  ## take a loaded file back: make retract FILE=landing/orders/a.csv
	@$(VENV)/bin/python -m orchestration.cli retract -- "$$FILE"

why: $(VENV)/ready  ## why figures changed since the version before (FROM=..., TO=...: versions or instants in UTC)
	@$(VENV)/bin/python -m orchestration.cli why $(if $(FROM),--from="$$FROM") $(if $(TO),--to="$$TO")

backup: $(VENV)/ready  ## copy the hub to a new folder: make backup TO=/mnt/backups/monday (LANDING=yes: landed files too)
	@$(VENV)/bin/python -m orchestration.cli backup $(if $(LANDING),--landing) -- "$$TO"

restore: $(VENV)/ready  ## replace the hub by a backup: make restore FROM=... (OVER=newer: also over a newer hub)
	@$(VENV)/bin/python -m orchestration.cli restore $(if $(filter newer,$(OVER)),--over-newer) -- "$$FROM"

status: $(VENV)/ready  ## how the hub is; fails when its figures are stale or refreshes fail (JSON=1 for programs)
	@$(VENV)/bin/python -m orchestration.cli status $(if $(JSON),--json)

export: $(VENV)/ready  ## write what is published as Parquet and CSV files (FACTS=yes: facts as CSV too)
	@$(VENV)/bin/python -m orchestration.cli export $(if $(FACTS),--facts)

ui: $(FOR_REFRESHES)  ## Dagster's web UI on 127.0.0.1 (PORT=3000)
	@$(VENV)/bin/python -m orchestration.cli ui $(if $(PORT),--port "$$PORT")

docs: $(VENV)/ready  ## build and serve the dbt docs on 127.0.0.1 (PORT=8080)
	@$(VENV)/bin/python -m orchestration.cli docs $(if $(PORT),--port "$$PORT")

dashboard: .venv-dashboard/ready  ## the two reports in Apache Superset on 127.0.0.1 (PORT=8088)
	@$(DASHBOARD)/python -m dashboards.cli $(if $(PORT),--port "$$PORT")

test: .venv/ready-dev  ## every test but those of the dashboard
	@$(BIN)/python -m pytest --numprocesses auto --dist worksteal

check: .venv/ready-dev  ## lint of Python, and the tests that need no refresh: for the loop of a developer
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint-python test-quick

test-quick: .venv/ready-dev
	@$(BIN)/python -m pytest -q --numprocesses auto --dist worksteal -m "not refresh and not slow"

test-dashboard: .venv/ready .venv/ready-postgres .venv-dashboard/ready-dev postgres-server  ## the dashboard, in a real browser too
	@command -v chromium >/dev/null || { $(AS_ROOT) apt-get update -q \
		&& $(AS_ROOT) apt-get install -q -y --no-install-recommends chromium; }
	@$(DASHBOARD)/python -m pytest dashboards/tests

test-spark: .venv-spark/ready-dev java  ## the same figures by Spark, on this machine
	@.venv-spark/bin/python -m pytest tests/spark --ignore tests/spark/test_cluster.py

cluster-test: .venv-spark/ready-dev java  ## the same by a cluster of processes, which loses a worker
	@.venv-spark/bin/python -m pytest tests/spark/test_cluster.py

java:
	@command -v java >/dev/null || { $(AS_ROOT) apt-get update -q \
		&& $(AS_ROOT) apt-get install -q -y --no-install-recommends openjdk-17-jre-headless; }

test-postgres: .venv/ready-dev postgres-server  ## PostgreSQL holds and answers what the published file does
	@$(BIN)/python -m pytest tests/postgres

postgres-server:
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null \
		|| { $(AS_ROOT) apt-get update -q && $(AS_ROOT) apt-get install -q -y --no-install-recommends postgresql; }

MINUTES ?= 3
soak: .venv/ready-dev  ## the real daemon, while processes die and the disk fills up (MINUTES=3)
	@$(BIN)/python -m pytest tests/soak --minutes $(MINUTES) -s

lint: lint-python lint-sql  ## Python with its types, SQL, and dbt's deprecation warnings

# The dashboard apart, because its tests have a conftest.py as well. Its types are those of this environment's libraries,
# which are newer than those of Superset.
lint-python: .venv/ready-dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy && MYPYPATH=dashboards/tests $(BIN)/mypy dashboards
	@$(BIN)/dbt parse --quiet --project-dir dbt_project --profiles-dir dbt_project \
		--warn-error-options '{"error": "all"}'

# It compiles each model by dbt, which takes longer than the rest of the lint. In a target of its own, because `dbt parse`
# warns of nothing that it finds parsed in its target.
lint-sql: .venv/ready-dev
	@folder=$$(mktemp -d) && CONTACT_DATA_DIR=$$folder DBT_TARGET_PATH=$$folder/target \
		$(BIN)/sqlfluff lint --disable-progress-bar models tests/dbt

example: .venv/ready-dev  ## refresh and report on real data: The Complete Journey
	@$(COMPLETE_JOURNEY) $(BIN)/python -m examples.complete_journey.land
	@$(COMPLETE_JOURNEY) $(BIN)/python -m orchestration.cli run --period all_time

example-dlt: .venv/ready-dev .venv-dlt/ready  ## the same on what dlt copies from a shop into a bucket
	@$(BIN)/python -m examples.dlt.run

test-dlt: .venv/ready-dev .venv-dlt/ready  ## the reports of that shop equal pandas on its own data
	@$(BIN)/python -m pytest tests/dlt_example

object-storage: $(VENV)/ready-object-storage  ## install what reads landed files from buckets and copies versions there

postgres: $(VENV)/ready-postgres  ## install what copies published versions to a PostgreSQL database

bench: .venv/ready-dev  ## measure; see benchmarks/README.md
	@$(BIN)/python -m benchmarks.run

lock:  ## pin all dependencies again (needs uv)
	$(COMPILE_FOR_PYTHONS) pyproject.toml --extra dev --extra object-storage --extra postgres -o requirements-dev.lock
	$(COMPILE_FOR_PYTHONS) pyproject.toml -c requirements-dev.lock -o requirements.lock
	$(COMPILE_FOR_PYTHONS) pyproject.toml --extra object-storage -c requirements-dev.lock -o requirements-object-storage.lock
	$(COMPILE_FOR_PYTHONS) pyproject.toml --extra postgres -c requirements-dev.lock -o requirements-postgres.lock
	$(COMPILE_FOR_PYTHONS) pyproject.toml --extra spark -c requirements-dev.lock -o requirements-spark.lock
	echo setuptools | $(COMPILE) - -o requirements-build.lock
	$(COMPILE_FOR_PYTHONS) examples/dlt/requirements.in -o examples/dlt/requirements.lock
	$(COMPILE) dashboards/requirements-dev.in -o dashboards/requirements-dev.lock
	$(COMPILE) dashboards/requirements.in -c dashboards/requirements-dev.lock -o dashboards/requirements.lock

clean:  ## remove the environments and the build artifacts, never data
	rm -rf .venv .venv-dashboard .venv-spark .venv-dlt dbt_project/target dbt_project/target-spark

# The locks are complete, so nothing is resolved (--no-deps), and each file must have its hash. A source archive
# runs what it likes while it is built, so each that there is no wheel of is named here.
INSTALL := pip install --disable-pip-version-check --no-deps --require-hashes --only-binary :all:
SOURCES_OF_DASHBOARD := odfpy,wtforms-json
SOURCES_OF_SPARK := pure-sasl,pyhive,pyspark,thrift

# They are built with what requirements-build.lock pins, instead of the newest that pip would fetch.
BUILD := --no-build-isolation --use-pep517 --no-binary

# A command that says every five seconds that it is at work: pip says nothing while it unpacks what it has fetched.
# Whoever started make may ignore other signals.
WORKING := bash -c 'while sleep 5 >/dev/null 2>&1; do echo "  still at work, $$SECONDS s"; done & \
	trap "kill -KILL $$!" EXIT; "$$@"' working

# $(call MAKE_ENVIRONMENT,versions): the environment in the folder of the target, by PYTHON if that is given, else by the
# first Python of these versions that the machine has, else by one that uv brings. The commands run in bash.
define MAKE_ENVIRONMENT
@for version in $(1); do for python in $(if $(PYTHON),'$(PYTHON)',python$$version python3); do \
	[[ $$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) != "$$version" ]] \
		|| exec $(WORKING) "$$python" -m venv $(@D); \
done; done; \
if [[ -z '$(PYTHON)' ]] && command -v uv >/dev/null; then \
	echo "No Python $(1) is here, so uv is asked for $(firstword $(1)) ..."; \
	exec $(WORKING) uv venv --quiet --allow-existing --seed --managed-python --python $(firstword $(1)) $(@D); \
fi; \
echo "$(or $(PYTHON),This machine) has none of the versions of Python that $(@D) can have: $(1)."; \
echo "Nothing was done. Install one, or name it: make PYTHON=/path/to/python$(firstword $(1)) ..."; exit 1
endef

# Spark brings half a gigabyte, so it has an environment of its own.
.venv-spark/ready: requirements-spark.lock requirements-build.lock
	@echo "Setting up .venv-spark from requirements-spark.lock ..."
	$(call MAKE_ENVIRONMENT,$(PYTHONS))
	@$(WORKING) .venv-spark/bin/$(INSTALL) -r requirements-build.lock
	@$(WORKING) .venv-spark/bin/$(INSTALL) $(BUILD) $(SOURCES_OF_SPARK) -r requirements-spark.lock
	@touch $@

.venv-spark/ready-dev: .venv-spark/ready requirements-dev.lock
	@echo "Setting up .venv-spark from requirements-dev.lock ..."
	@$(WORKING) .venv-spark/bin/$(INSTALL) -r requirements-dev.lock
	@touch $@

# For an environment that a bucket lands files in or versions are copied from.
.venv/ready-object-storage .venv-spark/ready-object-storage: \
%/ready-object-storage: %/ready requirements-object-storage.lock
	@echo "Setting up $(@D) from requirements-object-storage.lock ..."
	@$(WORKING) $(@D)/bin/$(INSTALL) -r requirements-object-storage.lock
	@touch $@

# For an environment that brings PostgreSQL to what is published.
.venv/ready-postgres .venv-spark/ready-postgres: %/ready-postgres: %/ready requirements-postgres.lock
	@echo "Setting up $(@D) from requirements-postgres.lock ..."
	@$(WORKING) $(@D)/bin/$(INSTALL) -r requirements-postgres.lock
	@touch $@

.venv/ready: requirements.lock
	@echo "Setting up .venv from requirements.lock ..."
	$(call MAKE_ENVIRONMENT,$(PYTHONS))
	@$(WORKING) $(BIN)/$(INSTALL) -r requirements.lock
	@touch $@

.venv/ready-dev: .venv/ready requirements-dev.lock tests/readers/duckdb-1.5.lock
	@echo "Setting up .venv from requirements-dev.lock ..."
	@$(WORKING) $(BIN)/$(INSTALL) -r requirements-dev.lock
	@$(WORKING) $(BIN)/$(INSTALL) --upgrade --target .venv/duckdb-1.5 -r tests/readers/duckdb-1.5.lock
	@touch $@

# The pipeline of an example, which the project itself never needs.
.venv-dlt/ready: examples/dlt/requirements.lock
	@echo "Setting up .venv-dlt from examples/dlt/requirements.lock ..."
	$(call MAKE_ENVIRONMENT,$(PYTHONS))
	@$(WORKING) .venv-dlt/bin/$(INSTALL) -r examples/dlt/requirements.lock
	@touch $@

# Superset wants older versions of what the pipeline uses, so it has an environment of its own.
.venv-dashboard/ready: dashboards/requirements.lock requirements-build.lock
	@echo "Setting up .venv-dashboard from dashboards/requirements.lock ..."
	$(call MAKE_ENVIRONMENT,$(PYTHONS_OF_DASHBOARD))
	@$(WORKING) $(DASHBOARD)/$(INSTALL) -r requirements-build.lock
	@$(WORKING) $(DASHBOARD)/$(INSTALL) $(BUILD) $(SOURCES_OF_DASHBOARD) -r dashboards/requirements.lock
	@touch $@

.venv-dashboard/ready-dev: .venv-dashboard/ready dashboards/requirements-dev.lock
	@echo "Setting up .venv-dashboard from dashboards/requirements-dev.lock ..."
	@$(WORKING) $(DASHBOARD)/$(INSTALL) $(BUILD) $(SOURCES_OF_DASHBOARD) -r dashboards/requirements-dev.lock
	@touch $@
