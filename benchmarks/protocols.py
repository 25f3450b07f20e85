"""How good are the list and its base models, by every protocol? Reports as pages and JSON.

    python benchmarks/protocols.py [--only payments] [--base-models gru,cnn] [--quick] [--home DIR] [--out evaluation]

The same as `dawnlist evaluate` for each file in protocols/ in turn. With all base models this takes hours on two cores.
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
    asked = parser.parse_args()
    data = Path(os.environ["RISK_DATASETS"]) if "RISK_DATASETS" in os.environ else None
    for name in [asked.only] if asked.only else sorted(path.stem for path in FOLDER.glob("*.yml")):
        protocol = Protocol.load(name)
        if data is None and protocol.simulate is None:
            console.print(f"{name}: skipped, $RISK_DATASETS is not set")
            continue
        before = time.monotonic()
        names = asked.base_models
        base_models = None if names is None else tuple(name for name in names.split(",") if name != "none")
        home = asked.home / name if asked.home else None
        report = run(protocol, Options(data, home, base_models, asked.quick), console)
        write_report(report, asked.out / name)
        for table in render(report):
            console.print(table)
        console.print(f"{name}: {time.monotonic() - before:.0f} s, {asked.out / name}/report.html")


if __name__ == "__main__":
    main()
