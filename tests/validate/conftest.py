import shutil

import pytest
import shop_days

from pipeline.context import Run
from pipeline.settings import Settings
from pipeline.validate import events_checkpoint


@pytest.fixture(scope="session")
def past_home(tmp_path_factory):
    """28 ordinary days before DAY, already profiled."""
    home = tmp_path_factory.mktemp("shop")
    shop_days.write_past(home)
    events_checkpoint(Run(Settings(home=home), shop_days.SHOP, shop_days.DAY, shop_days.AS_OF))
    return home


@pytest.fixture
def home(past_home, tmp_path):
    return shutil.copytree(past_home, tmp_path / "home")


@pytest.fixture
def settings(home):
    return Settings(home=home)
