# Two commands matter: `make demo` and `make test`. Both prepare .venv themselves; see docs/install.md.

.DEFAULT_GOAL := help
.PHONY: help demo history dr-drill plan report stop status test check lint policy ladder prometheus-rules coverage migrate ledger break mend compose-env bench lock clean ready

# The first Python that is new enough; override with `make PYTHON=/path/to/python3.12 ...`.
PYTHON ?= $(shell for p in python3 python3.12 python3.13 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
ifeq ($(PYTHON),)
PYTHON := python3
endif
VENV := .venv/bin/python
STATE := .clo-ops
# In production mode the manual's placeholder contacts are refused: make CLO_OPS_MODE=production policy
export CLO_OPS_MODE ?= demo
# Bytecode is worth writing: without it every Airflow start takes twice as long.
unexport PYTHONDONTWRITEBYTECODE
# Tools that import Airflow keep its home out of the user's.
AIRFLOW := env AIRFLOW_HOME=$(CURDIR)/$(STATE)/tools AIRFLOW__CORE__LOAD_EXAMPLES=False PYTHONPATH=plugins

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 \t\2/p' $(MAKEFILE_LIST) | expand -t 18

ready:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed (Debian: apt-get install python3)" >&2; exit 1; }
	@$(PYTHON) demo/bootstrap.py

demo: ready ## a CLO system and Airflow, a healthy morning and one with three faults
	@$(VENV) demo/run.py

history: ready ## a year of made-up figures with known stories into the running demo's ledger, for its reports
	@$(VENV) demo/plant.py --state $(STATE)

dr-drill: ready ## the disaster-recovery test on the demo world (PLACE=local, BACKUP=<file>, SELF_TEST=1)
	@$(VENV) demo/drill.py $(if $(PLACE),--place $(PLACE)) $(if $(BACKUP),--backup $(BACKUP)) $(if $(PARTS),--parts $(PARTS)) $(if $(SELF_TEST),--self-test)

plan: ready ## what Monday's maintenance would do to the running demo now, and why; changes nothing
	@$(VENV) demo/plan.py --state $(STATE)

stop: ## end exactly what make demo started
	@$(PYTHON) -m demo.stack.control --state $(STATE) stop

status: ## what of the demo runs
	@$(PYTHON) -m demo.stack.control --state $(STATE) status

test: ready ## lint, types and all tests (PYTEST="tests/unit -k name" for some)
	@$(VENV) .ci/check.py $(PYTEST)

lint: ready ## ruff and mypy only
	@$(VENV) .ci/check.py --lint

policy: ready ## the manual's figures as loaded, with next month's calendar
	@PYTHONPATH=plugins $(VENV) -m clo_ops.policy

ladder: ready ## who would be told what and when (SEVERITY=P1 AT=2026-11-23T08:00)
	@PYTHONPATH=plugins $(VENV) -m clo_ops.escalation.ladder $(if $(SEVERITY),--severity $(SEVERITY)) $(if $(AT),--at $(AT))

prometheus-rules: ready ## the alert rules for Prometheus and the route for Alertmanager (INTO=directory)
	@PYTHONPATH=plugins $(VENV) -m clo_ops.reports.alerting_files $(or $(INTO),$(STATE)/prometheus)

report: ready ## a report made again from the record (NAME=, DATE=2026-11-20, INTO=directory; without NAME: the list)
	@export CLO_OPS_LEDGER_URL="$${CLO_OPS_LEDGER_URL:-$$($(PYTHON) -m demo.stack.control --state $(STATE) ledger)}"; \
	PYTHONPATH=plugins $(VENV) -m clo_ops.reports $(if $(NAME),"$(NAME)") $(if $(DATE),--date "$(DATE)") $(if $(INTO),--into "$(INTO)")

coverage: ready ## every procedure with its DAG and task; renews the pages made from the DAGs
	@$(AIRFLOW) $(VENV) -m clo_ops.orchestration.coverage

migrate: ready ## bring the ledger's schema up to date (CLO_OPS_LEDGER_URL, else the demo's)
	@export CLO_OPS_LEDGER_URL="$${CLO_OPS_LEDGER_URL:-$$($(PYTHON) -m demo.stack.control --state $(STATE) ledger)}"; \
	PYTHONPATH=plugins $(VENV) -m clo_ops.ledger migrate

ledger: ready ## psql in the demo's ledger (SQL="select ..." for one statement)
	@$(VENV) -m demo.stack.control --state $(STATE) psql $(if $(SQL),"$(SQL)")

break: ready ## break the running demo: make break FAULT=slow-endpoint (without FAULT: the list)
	@$(VENV) -m demo.switches --state $(STATE) $(if $(FAULT),on $(FAULT),list)

mend: ready ## put right whatever make break broke
	@$(VENV) -m demo.switches --state $(STATE) off-all

compose-env: ## .env and clo-ops.env for docker-compose.yml, with fresh secrets (DEMO=1: for the profile demo)
	@$(PYTHON) -m demo.compose.env $(if $(DEMO),--demo)

bench: ready ## what is fast, as ratios
	@set -e; for file in benchmarks/*.py; do echo "== $$file"; $(AIRFLOW):. $(VENV) $$file; done

lock: ready ## make requirements.lock anew from requirements.txt
	@.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" \
	--no-emit-index-url --no-emit-find-links requirements.txt -o requirements.lock >/dev/null

clean: ## stop, and remove the demo's state and .venv
	@$(PYTHON) -m demo.stack.control --state $(STATE) clean
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
