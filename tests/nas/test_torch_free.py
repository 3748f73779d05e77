import subprocess
import sys

MODULES = (
    "nas.seeds",
    "nas.space",
    "nas.grids",
    "nas.soft_target",
    "nas.objective",
    "nas.training.stopping",
    "nas.search_loop",
    "nas.standing",
    "nas.durable",
    "nas.threads",
    "nas.program.operations",
    "nas.program.program",
    "nas.packed",
    "nas.runs.journal",
    "nas.runs.export",
    "nas.runs.mlflow_log",
    "nas.report",
    "nas.cli.main",
    "nas.cli.show",
    "nas.cli.ledger",
    "nas.cli.export",
    "nas.cli.report",
    "nas.cli.board",
    "nas.cli.compare",
    "nas.cli.doctor",
    "strategies.random_search",
    "strategies.evolutionary.aging",
    "strategies.evolutionary.nsga2",
    "strategies.evolutionary.nsga3",
    "strategies.multi_fidelity.halving",
    "strategies.bayesian.surrogate",
)


def test_what_needs_no_network_does_not_wait_for_torch() -> None:
    program = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    print(name, "torch" in sys.modules)
"""
    output = subprocess.run(
        [sys.executable, "-c", program, *MODULES], capture_output=True, text=True, check=True
    ).stdout
    assert output.splitlines() == [f"{name} False" for name in MODULES]
