"""Write a report to a folder."""

from pathlib import Path

from pipeline.evaluate.report.content import EvaluationReport
from pipeline.evaluate.report.page import page
from pipeline.storage.files import write_atomically


def write_report(report: EvaluationReport, folder: Path) -> None:
    """`report.json` and `report.html`. Each is complete, or not there."""
    html = page(report)
    write_atomically(folder / "report.json", report.model_dump_json(indent=2) + "\n")
    write_atomically(folder / "report.html", html)
