import hypothesis
import pytest
import small_day

from pipeline import publish
from pipeline.context import Run
from pipeline.settings import Settings

hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture(autouse=True)
def plain_sentences(monkeypatch):
    """Tests of publishing do not depend on the wording of reasons."""
    monkeypatch.setattr(publish, "sentences", small_day.words)


@pytest.fixture
def home(tmp_path):
    """A home with a scored day, ready to be published."""
    small_day.add_bundle(tmp_path)
    small_day.add_scores(tmp_path)
    return tmp_path


@pytest.fixture
def settings(home):
    return Settings(home=home)


@pytest.fixture
def publish_day(settings):
    """Publishes the day; keywords change the run."""

    def publish_one(domain=small_day.SHOP, day=small_day.DAY, as_of=small_day.AS_OF, using=settings, accept=()):
        return publish.run(Run(using, domain, day, as_of, tuple(accept)))

    return publish_one


@pytest.fixture
def publish_in():
    """Publishes the day in any home."""

    def publish_in(home):
        run = Run(Settings(home=home), small_day.SHOP, small_day.DAY, small_day.AS_OF)
        return publish.run(run)

    return publish_in
