# A fresh clone needs Python 3.10 or later and make; everything else is installed into .venv here.
PYTHON ?= python3
OUTPUT ?= demo-output
BIN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)
RESEARCH_BIN := $(subst .venv,.venv-research,$(BIN))
STAMPS := .venv/stamps
SLICER_TESTS := MedSAMLite/Testing/Python

.PHONY: help demo test check backend-tests slicer-tests test-research train bench format clean

help:
	@echo "make demo           segment a phantom, or IMAGE=... BOX=\"i0 j0 k0 i1 j1 k1\" MODEL=..., into $(OUTPUT)"
	@echo "make test           style, types and tests of all that users run"
	@echo "make test-research  tests of training and of the published architectures (PyTorch, in .venv-research)"
	@echo "make train          synthesis, training and export of the bundled models from DATA, into runs (six hours; QUICK=1: two)"
	@echo "make bench          speed and memory beside the published systems, into bench-output (12 minutes; QUICK=1: one, FULL=1: over an hour)"
	@echo "make format         bring the code into its style"

demo: $(STAMPS)/run
	$(BIN)/python -m medsam_backends demo --output "$(OUTPUT)" \
		$(if $(IMAGE),--image "$(IMAGE)") $(if $(BOX),--box $(BOX)) $(if $(MODEL),--model "$(MODEL)")

test: check backend-tests slicer-tests

check: $(STAMPS)/test
	$(BIN)/ruff check backends benchmarks MedSAMLite research docs
	$(BIN)/mypy

backend-tests: $(STAMPS)/test
	$(BIN)/python -m pytest --cov --cov-report=term

slicer-tests: $(STAMPS)/test
	@if $(BIN)/python -c "import slicer, PySide6" 2>/dev/null; then \
		$(BIN)/python -m pytest $(SLICER_TESTS); \
	else \
		echo "SKIPPED $(SLICER_TESTS): slicer-core and PySide6 have no wheels for this Python or system"; \
	fi

test-research: $(STAMPS)/research
	PYTHONPATH=backends:research $(RESEARCH_BIN)/python -m pytest research/tests

# DATA holds the archives and volumes described in research/README.md; a run that was stopped is resumed.  TEACHER=1
# also learns the features of LiteMedSAM, which `medsamlite models install litemedsam` must have brought.  QUICK=1: three
# tenths of everything.
DATA ?= ../shared/data/train
FUSION = $(RUN).fusion
SAMPLES = --model runs/medsamlite-efficientvit --model runs/medsamlite-repvit --volumes "$(DATA)/volumes" \
	--synthetic runs/data/synthetic
FROM = --data "$(DATA)" --synthetic runs/data/synthetic
TAUGHT = $(if $(TEACHER),--teacher runs/data/teacher)
either = $(if $(QUICK),$(1),$(2))
RUN := PYTHONPATH=backends:research OMP_NUM_THREADS=1 $(RESEARCH_BIN)/python -m medsam_research

train: $(STAMPS)/research
	$(RUN).synthesis.prepare --count $(call either,1800,6000) --volumes $(call either,420,1400) --seed 0 \
		--output runs/data/synthetic
	$(if $(TEACHER),$(RUN).data.teacher litemedsam --data "$(DATA)" --output runs/data/teacher)
	$(RUN).training.train --config main $(FROM) $(TAUGHT) --minutes $(call either,36,120) --output runs/main
	$(RUN).training.export runs/main/checkpoint.pt --id medsamlite-efficientvit --int8 decoder \
		--output runs/medsamlite-efficientvit
	$(RUN).training.distil runs/main/checkpoint.pt $(FROM) --minutes $(call either,6,20) --output runs/distilled
	$(RUN).training.train --config second $(FROM) $(TAUGHT) --minutes $(call either,36,120) \
		--init runs/distilled/checkpoint.pt --output runs/second
	$(RUN).training.export runs/second/checkpoint.pt --id medsamlite-repvit --int8 decoder \
		--output runs/medsamlite-repvit
	$(FUSION).prepare $(SAMPLES) --output runs/data/fusion/train
	$(FUSION).prepare $(SAMPLES) --split val --output runs/data/fusion/val
	$(FUSION).train --samples runs/data/fusion/train --validation runs/data/fusion/val \
		--minutes $(call either,18,60) --output runs/fusion
	$(FUSION).export runs/fusion/checkpoint.pt --model runs/medsamlite-efficientvit
	$(FUSION).export runs/fusion/checkpoint.pt --model runs/medsamlite-repvit
	$(RUN).cards.write runs/medsamlite-efficientvit --run runs/main --fusion runs/fusion --data "$(DATA)"
	$(RUN).cards.write runs/medsamlite-repvit --run runs/distilled --run runs/second --fusion runs/fusion --data "$(DATA)"

# Peers in PyTorch take part where `make test-research` has made their environment.
bench: $(STAMPS)/bench
	PYTHONPATH=.:backends $(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(FULL),--full) $(if $(RESUME),--resume)

format: $(STAMPS)/test
	$(BIN)/ruff check --fix backends benchmarks MedSAMLite research docs
	$(BIN)/ruff format backends benchmarks MedSAMLite research docs

clean:
	rm -rf .venv .venv-research demo-output

.venv/pyvenv.cfg:
	$(PYTHON) -m venv .venv

$(STAMPS)/run: pyproject.toml | .venv/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --editable .
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/test: pyproject.toml | .venv/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	@$(BIN)/python -m pip install --quiet --editable ".[slicer]" \
		|| echo "slicer-core or PySide6 cannot be installed here: tests of the Slicer module will be skipped"
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/bench: pyproject.toml | .venv/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --editable ".[bench]"
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/research: pyproject.toml | .venv/pyvenv.cfg
	$(PYTHON) -m venv .venv-research
	@# PyTorch for CPUs alone, a tenth of the size, where the package index has it.
	@torch=$$($(RESEARCH_BIN)/python -m pip index versions torch 2>/dev/null | grep -oE '[0-9.]+\+cpu' | head -n 1); \
		$(RESEARCH_BIN)/python -m pip install --quiet $${torch:+"torch==$$torch"} --editable ".[test,research]" || \
		{ echo "The research environment cannot be installed: pip says above what is missing (PyTorch needs a network)." >&2; exit 1; }
	@mkdir -p $(STAMPS) && touch $@
