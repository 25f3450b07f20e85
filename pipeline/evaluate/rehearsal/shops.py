"""The shop of a rehearsal, day by day: one for all ways of working, or one whose crews read the lists."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipeline import simulate
from pipeline.evaluate.rehearsal.plan import Plan
from pipeline.evaluate.rehearsal.truth import ShopTruth
from pipeline.simulate.output.writing import Writer
from pipeline.storage.files import make_folder


@dataclass(frozen=True)
class Shop:
    """A folder of events and labels, and the truth about them."""

    folder: Path
    truth: ShopTruth

    def open_day(self, day: date) -> tuple[Path, Path]:
        """The day's events and reports. Days are opened in order, each once."""
        return self.folder / "events" / f"{day}.parquet", self.folder / "labels" / f"{day}.csv"


@dataclass(frozen=True)
class ReadingShop(Shop):
    """Each day is simulated when it is opened, by crews that read the lists of the days before."""

    coming: Iterator[simulate.Day]
    writer: Writer

    def open_day(self, day: date) -> tuple[Path, Path]:
        today = next(self.coming)
        assert today.day == day
        self.writer.write(today)
        self.truth.add(today.true_user_days)
        return super().open_day(day)


def same_shop(folder: Path, plan: Plan) -> Shop:
    """The shop of the ways whose crews read nothing. It is simulated once."""
    if not (folder / "truth" / "simulation.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)  # of a simulation that was interrupted
        simulate.run(folder, days=plan.days, **plan.shop)
    return Shop(folder, ShopTruth.read(folder))


@contextmanager
def reading_shop(folder: Path, plan: Plan, lists: Path) -> Iterator[Shop]:
    """A shop whose crews read `lists`. Until the first list it is the same as the others'."""
    make_folder(lists)
    settings = simulate.ShopSettings(**plan.shop, lists=lists)
    with Writer(folder, settings, plan.days, "parquet") as writer:
        shop = ReadingShop(folder, ShopTruth(), simulate.simulate(settings), writer)
        for day in plan.past_days:
            shop.open_day(day)
        yield shop
