"""How good are the list and its base models, by every protocol? Writes reports as pages and JSON.

    python benchmarks/protocols.py [--only payments] [--base-models gru,cnn] [--quick] [--home DIR] [--out evaluation]

Runs `dawnlist evaluate` for each file in protocols/. With all base models this takes hours on two cores.
Needs $RISK_DATASETS, except for the simulated shop.
"""

import argparse
import os
import time
from pathlib import Path

from rich.console import Console

from pipeline.evaluate.protocol import FOLDER, Protocol
from pipeline.evaluate.report.table import render
from pipeline.evaluate.report.writing import write_report
from pipeline.evaluate.run import Options, run

console = Console(width=160)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="one protocol")
    parser.add_argument("--base-models", help="comma separated, instead of the protocol's; 'none' for none")
    parser.add_argument("--quick", action="store_true", help="no placebos, learning curves or prices of leaks")
    parser.add_argument("--home", type=Path, help="keep what is built in DIR/<protocol>")
    parser.add_argument("--out", type=Path, default=Path("evaluation"))
    options = parser.parse_args()
    data = Path(os.environ["RISK_DATASETS"]) if "RISK_DATASETS" in os.environ else None
    for name in [options.only] if options.only else sorted(path.stem for path in FOLDER.glob("*.yml")):
        protocol = Protocol.load(name)
        if data is None and protocol.simulate is None:
            console.print(f"{name}: skipped, $RISK_DATASETS is not set")
            continue
        before = time.monotonic()
        names = options.base_models
        base_models = None if names is None else tuple(name for name in names.split(",") if name != "none")
        home = options.home / name if options.home else None
        report = run(protocol, Options(data, home, base_models, options.quick), console)
        write_report(report, options.out / name)
        for table in render(report):
            console.print(table)
        console.print(f"{name}: {time.monotonic() - before:.0f} s, {options.out / name}/report.html")


if __name__ == "__main__":
    main()
