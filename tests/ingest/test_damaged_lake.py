"""A disk that damages the lake: whoever reads it says what to restore."""

import pytest
from deliveries import NOW, SHOP, Shop, event

from pipeline import validate
from pipeline.context import Run
from pipeline.errors import InputError
from pipeline.storage import lake
from pipeline.warehouse import locked


def cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def overwrite(path):
    path.write_bytes(b"\0" * path.stat().st_size)


def overwrite_the_middle(path):
    path.write_bytes(b"PAR1" + b"\0" * (path.stat().st_size - 8) + b"PAR1")


DAMAGES = (cut, overwrite, overwrite_the_middle, lambda path: path.unlink())


@pytest.fixture
def damaged(shop: Shop, request) -> Shop:
    shop.deliver([event("e1")])
    [file] = lake.event_files(shop.home)
    request.param(shop.home / file.path)
    return shop


@pytest.mark.parametrize("damaged", DAMAGES, indirect=True)
def test_a_second_file_of_a_damaged_day_names_the_lake_and_not_itself(damaged):
    with pytest.raises(InputError, match="files are damaged") as error, locked(damaged.settings, SHOP):
        damaged.deliver([event("e2")], "more.csv")
    assert "event_day=2026-11-20" in str(error.value) and "more.csv" not in str(error.value)
    assert "restore them from your backup; dawnlist doctor" in error.value.fix


@pytest.mark.parametrize("damaged", DAMAGES, indirect=True)
def test_a_damaged_day_is_not_validated(damaged):
    [file] = [file for batch in lake.batches(damaged.home, "events") for file in batch.files]
    with pytest.raises(InputError, match="files are damaged"), locked(damaged.settings, SHOP):
        validate.run(Run(damaged.settings, SHOP, file.event_day, NOW), "events")
