PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test slow faults check bench bench-all beat docs clean

setup: .venv/installed

# A stamp, so that only a change of what is installed installs again.
.venv/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,optuna,rl,tflite,tflite-test]'
	touch $@

demo: setup
	$(BIN)/nas run experiments/digits.py --trials 44 --out runs/demo

# Two processes, with one torch thread each: networks this small gain nothing from more.
test: setup
	$(BIN)/pytest -n 2 -m 'not slow'

# The tests that take ten seconds or more, those of larger libraries among them.
slow: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dashboard,mlflow,notebook,parquet]'
	$(BIN)/pytest -n 2 -m slow

# What the system promises whatever candidates, signals and storage do, as a table.
faults: setup
	FAULTS_KILLS=500 $(BIN)/python -m pytest -n 2 -p tests.faults.report -m fault

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# How fast candidates are trained, and what else a search takes, in ten minutes.
bench: setup
	$(BIN)/python -m benchmarks.training_loop $(if $(DATA),--data $(DATA))
	$(BIN)/python -m benchmarks.running

# All else that is measured. NET defines a ReferenceNet, DATA is a folder of MNIST's or Fashion-MNIST's files.
bench-all: bench
	$(BIN)/python benchmarks/sizes.py --net $(NET) --data $(DATA)
	$(BIN)/python -m benchmarks.compress --data $(DATA)
	$(BIN)/python -m benchmarks.baselines --data $(DATA)
	$(BIN)/python -m benchmarks.sharing --data $(DATA) --minutes 1.2
	$(BIN)/python -m benchmarks.coding --data $(DATA)
	$(BIN)/python -m benchmarks.coded_size
	$(BIN)/python benchmarks/agreement.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/quantized_step.py
	$(BIN)/python benchmarks/distillation.py
	$(BIN)/python benchmarks/overhead.py
	$(BIN)/python -m benchmarks.showing
	$(BIN)/python benchmarks/made_up.py
	$(BIN)/python -m benchmarks.tflite_agreement
	$(BIN)/python benchmarks/searches.py
	$(BIN)/python -m benchmarks.on_device
	$(BIN)/python -m benchmarks.instruction_tables
	$(BIN)/python -m benchmarks.design_agreement --designs 20

# The search against the engineer, by half an hour of processor time for each network; DATA as above.
beat: setup
	$(BIN)/python -m benchmarks.beat --data $(DATA) --minutes 30

# The documentation, in build/docs; what is wrong with a page is an error.
docs: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python -m sphinx --fail-on-warning --keep-going -q docs build/docs

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
