# Needs python3 (3.10 or newer, with venv), make and git. Every target first sets up .venv if it is missing or out of date.
PYTHON ?= python3
MODEL ?= yolo11n-RepViT.yaml

READY := .venv/.installed
RUN := .venv/bin/python
# uv stops where it cannot write its cache, for example where HOME is read-only.
CACHE = $(shell mkdir -p "$${UV_CACHE_DIR:-$${XDG_CACHE_HOME:-$$HOME/.cache}/uv}" 2>/dev/null || echo --no-cache)

.PHONY: help lab train check test test-fast test-render test-grade test-colab test-browser test-versions modules exercises grade bundle models lessons results figures data clean
.DEFAULT_GOAL := help

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name what; do printf '  make %-14s %s\n' "$$name" "$$what"; done

lab: $(READY) ## open the course in JupyterLab: copies of lessons and exercises in my/, which git leaves alone
	@mkdir -p my/exercises; for lesson in notebooks/*.ipynb notebooks/exercises/*.ipynb; do copy="my/$${lesson#notebooks/}"; test -e "$$copy" || cp "$$lesson" "$$copy"; done
	$(RUN) -m jupyterlab --allow-root --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/my/00_start_here.ipynb

train: $(READY) ## train a detector on the fire set (MODEL=yolo11n-RepViT.yaml) and draw what it finds
	$(RUN) -m modules train model="$(MODEL)"

check: $(READY) ## look at Python, torch, Ultralytics, GPU, data and disk: OK or what to do
	$(RUN) modules/course/check.py

test: $(READY) ## run everything that must hold: tests and lessons
	$(RUN) -m pytest tests notebooks -n 2 --dist loadfile --nbval --nbval-current-env \
		--nbval-sanitize-with=tests/nbval_sanitize.cfg --nbval-cell-timeout=600

test-fast: $(READY) ## a minute of tests: the form of lessons, the house, the quick part of the contract
	$(RUN) -m pytest -n 2 tests/test_fold.py tests/test_house.py tests/test_lessons.py tests/test_explorer.py tests/test_contract.py \
		-k "not (builds or trains or learns or pickles or alone or compiles or onnx or precision or broken or good)"

test-colab: $(READY) ## lessons and exercises as on Colab, with Python 3.12 and 3.13 (long; needs a writable /content)
	$(RUN) tools/colab.py

test-browser: $(READY) ## an explorer in a real browser (needs Chromium)
	$(RUN) -m uv pip install --quiet $(CACHE) --python .venv/bin/python playwright
	$(RUN) -m pytest -n 0 -s tests/test_browser.py

test-grade: $(READY) ## a class with endless loops and deleted files is marked to its end (long)
	@$(RUN) -c "import nbgrader" 2>/dev/null || $(RUN) -m uv pip install --quiet $(CACHE) --python .venv/bin/python -e '.[teach]'
	$(RUN) -m pytest tests/test_grade.py

test-render: $(READY) ## the tests of what makes the fire set, without Blender
	$(RUN) -m pytest -n 2 datasets/render/tests

test-versions: $(READY) ## the same models with several versions of Ultralytics, each in its own environment (long)
	$(RUN) tests/versions/run.py

modules: $(READY) ## write modules/*.py from the lessons, and modules/README.md
	$(RUN) tools/lessons.py export
	$(RUN) -m modules.course.pages

exercises: $(READY) ## write the students' notebooks from notebooks/exercises/solutions
	$(RUN) tools/exercises.py

grade: $(READY) ## mark a class: SUBMISSIONS=folder holds STUDENT/02_irmb.ipynb and so on; tables and feedback go to grades/
	@$(RUN) -c "import nbgrader" 2>/dev/null || $(RUN) -m uv pip install --quiet $(CACHE) --python .venv/bin/python -e '.[teach]'
	$(RUN) tools/grade.py "$(SUBMISSIONS)" $(OPTIONS)

bundle: $(READY) ## one zip for rooms without internet: lessons, pictures, wheels (OPTIONS=--torch: torch too)
	$(RUN) tools/bundle.py $(OPTIONS)

models: $(READY) ## write modules/cfg/yolo11-*.yaml, one for each backbone
	$(RUN) -m modules.course.graft

lessons: $(READY) ## execute all lessons and store their outputs (one: python tools/lessons.py execute 02)
	$(RUN) tools/lessons.py execute

results: $(READY) ## run the trainings that the comparison in results/ lacks (hours; may be stopped and started again)
	$(RUN) -m results run

figures: $(READY) ## draw figures/ anew
	@for drawing in figures/*.py; do echo "$$drawing"; $(RUN) "$$drawing" || exit 1; done

data: $(READY) ## make the fire set anew (fetches Blender's panoramas, 400 MB)
	$(RUN) -m uv pip install --python .venv/bin/python -r datasets/render/requirements.txt
	$(RUN) datasets/render/make_fire_set.py
	$(RUN) figures/fire_set.py

clean: ## remove environments and caches; what you trained in runs/ stays
	rm -rf .venv .versions .colab.json *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv installs in seconds what takes pip minutes. A .venv that does not work (its Python is gone or too old) is made anew.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "This course needs Python 3.10 or newer; '$(PYTHON)' is missing or older."; \
		echo "Say where a newer one is:  make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "Your Python comes without venv. On Debian and Ubuntu:  sudo apt install python3-venv"; exit 1; }
	@.venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@echo "Installing torch, Ultralytics and the rest into .venv. The first time this takes some minutes."
	@$(RUN) -m pip install --quiet --disable-pip-version-check uv
	@$(RUN) -m uv pip install --quiet $(CACHE) --python .venv/bin/python -e '.[dev]'
	@mkdir -p .venv/share/jupyter/lab/settings
	@echo '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}' > .venv/share/jupyter/lab/settings/overrides.json
	@$(RUN) -m ipykernel install --user --name backbones-by-hand --display-name "Backbones by Hand" >/dev/null 2>&1 || \
		echo "(No kernel registered for a Jupyter of your own; make lab works all the same.)"
	@touch $(READY)
