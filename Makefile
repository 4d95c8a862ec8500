# make help lists the targets. Everything works on a fresh clone: the environment is made when it is missing.
CONFIG  ?= config/config.yaml
STUDY   ?= chlamydia
CORES   ?= 2
PROFILE ?= profiles/default
PYTHON  ?= python3
# Extra arguments for pip, e.g. PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu" where the index serves CUDA builds of torch
PIP_ARGS ?=
BIN := .venv/bin
SNAKEMAKE = $(BIN)/snakemake --cores $(CORES) --configfile $(CONFIG) --workflow-profile $(PROFILE)
export PYTHONPATH := $(CURDIR)/workflow/scripts
export PYTHONHASHSEED := 0
# One job a core: libraries must not start threads of their own.
export OMP_NUM_THREADS := 1

.PHONY: help setup run test lint format bench bench-lm bench-variants bench-genomes bench-download verify unlock estimate docs showcase showcase-compare showcase-few-labels ship-model dry-run clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(BIN)/.installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "dnalm needs Python 3.11 or newer; name one with PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check $(PIP_ARGS) -r requirements.lock
	@touch $@

setup: $(BIN)/.installed ## make .venv from requirements.lock

run: setup ## run the default study (or CONFIG=my_study.yaml) with CORES=2
	@$(SNAKEMAKE) || { ls .snakemake/locks/* >/dev/null 2>&1 && echo "If the lines above speak of a lock: a run was killed or is still going. When none is going, type: make unlock CONFIG=$(CONFIG) && make run CONFIG=$(CONFIG)"; exit 1; }

dry-run: setup ## show what would run, and why
	$(SNAKEMAKE) --dry-run

test: setup ## run all tests, the workflow end to end on a small genome included
	$(BIN)/pytest -q -n $(CORES) --dist loadfile

lint: setup ## check style, types of configs and generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --no-sort --line-length 120 --check --compact-diff Snakefile workflow/rules
	$(BIN)/python -m dnalm.config_docs --check

format: setup ## format code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt --no-sort --line-length 120 Snakefile workflow/rules

docs: setup ## regenerate config/README.md's tables and the schema
	$(BIN)/python -m dnalm.config_docs --write

showcase: setup ## after a run of STUDY=chlamydia: its figures, table and expected metrics into docs/, README and config/
	mkdir -p docs/images/$(STUDY) config/expected && cp results/$(STUDY)/figures/*.png docs/images/$(STUDY)/
	$(BIN)/python -m dnalm.evaluate.verify results/$(STUDY)/all_metrics.tsv config/expected/$(STUDY).tsv --write
	$(BIN)/python -m dnalm.report.results_table config/expected/$(STUDY).tsv README.md

showcase-compare: setup ## after a run of STUDY=architectures: the figures and the table of its comparison into docs/
	mkdir -p docs/images/$(STUDY) && cp results/$(STUDY)/figures/architectures.png results/$(STUDY)/figures/context_cost.png docs/images/$(STUDY)/
	$(BIN)/python -m dnalm.report.results_table results/$(STUDY)/compare/metrics.tsv docs/how-to/compare-models.md

showcase-few-labels: setup ## after a run of STUDY=few_labels: its figure and its tables into docs/
	mkdir -p docs/images/$(STUDY) && cp results/$(STUDY)/figures/few_labels.png docs/images/$(STUDY)/
	$(BIN)/python -m dnalm.report.few_labels results/$(STUDY)/few_labels docs/how-to/few-labels.md

ship-model: setup ## after a run of STUDY=bacteria: its gene finder into resources/models/
	mkdir -p resources/models/$(STUDY) && cp results/$(STUDY)/annotate/model/config.json results/$(STUDY)/annotate/model/model.safetensors results/$(STUDY)/annotate/model/README.md resources/models/$(STUDY)/

bench: setup ## measure speed and memory of the library's core (results/benchmarks)
	$(BIN)/python benchmarks/core.py
	$(BIN)/python benchmarks/memory.py

bench-lm: setup ## language models against Hugging Face's: speed, memory, time to quality (half an hour)
	$(BIN)/python benchmarks/lm.py

bench-download: setup ## verified downloads against curl and sha256sum, on loopback (two minutes)
	$(BIN)/python benchmarks/download.py

bench-variants: setup ## variants scored per second, against masked models, and memory of a large file (some minutes)
	$(BIN)/python benchmarks/variants.py

bench-genomes: setup ## time and memory of all stages before training, up to 3.1 Gb (twenty minutes, 20 GB of disk)
	$(BIN)/python benchmarks/genomes.py

verify: setup ## compare results/STUDY with config/expected/STUDY.tsv
	$(BIN)/python -m dnalm.evaluate.verify results/$(STUDY)/all_metrics.tsv config/expected/$(STUDY).tsv

estimate: setup ## time, memory and disk that CONFIG will need, before anything starts (BASES=4600000 before a download)
	$(BIN)/python -m dnalm.estimate --configfile $(CONFIG) $(if $(BASES),--bases $(BASES))

unlock: setup ## clear the lock that a killed run left behind
	$(SNAKEMAKE) --unlock

clean: ## delete results and caches, but never the state of a training that is running
	@for lock in $$(find .state -name lock 2>/dev/null); do flock --nonblock $$lock true || { echo "a training is running in $$(dirname $$lock): stop it first"; exit 1; }; done
	rm -rf results .state .snakemake .pytest_cache .ruff_cache
