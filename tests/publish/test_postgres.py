"""The rows in a real PostgreSQL, which this test starts and stops."""

import os
import pwd
import random
import shutil
import socket
import string
import subprocess
import tempfile
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest
from small_day import AS_OF, DAY, RISKS, SHOP, add_scores

from pipeline.errors import InputError
from pipeline.ingest.refusals import MAX_VALUE
from pipeline.period import Period
from pipeline.publish import read_list
from pipeline.settings import Settings

pytestmark = pytest.mark.slow

PASSWORD = "correct-horse-battery"
LATER = AS_OF + timedelta(days=2)


def binaries():
    """Where initdb and pg_ctl are: on the path, or where Debian puts them."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return places[-1].parent if places else None


def unprivileged():
    """PostgreSQL refuses to run as root: then it gets another user."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("PostgreSQL cannot run as root, and there is no other user here")


@pytest.fixture(scope="module")
def server():
    """A server of our own on a free port; yields its connection string."""
    place = binaries()
    if place is None:
        pytest.skip("no PostgreSQL server is installed here (apt-get install postgresql)")
    user = unprivileged()
    folder = Path(tempfile.mkdtemp(prefix="dawnlist-postgres-"))
    (folder / "password").write_text(PASSWORD)
    if user:
        for path in (folder, folder / "password"):
            os.chown(path, user.pw_uid, user.pw_gid)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(*command):
        extra = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        done = subprocess.run(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **extra
        )
        if done.returncode:
            pytest.fail(f"{command[0]}: {done.stderr}")

    data = folder / "data"
    run(place / "initdb", "-D", data, "-U", "dawnlist", "-A", "scram-sha-256", "--pwfile", folder / "password", "-N")
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    run(place / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield f"postgresql://dawnlist:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        run(place / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture
def rows(server):
    """What the table holds: a function from SQL to rows. The table is gone when a test starts."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("drop table if exists dawnlist_risk_list")
        yield lambda sql="select user_id from dawnlist_risk_list order by domain, day, rank": [
            row if len(row) > 1 else row[0] for row in connection.execute(sql).fetchall()
        ]


@pytest.fixture
def connected(home, server):
    return Settings(home=home, postgres_dsn=server)


def test_the_rows_of_the_list_are_in_the_table(connected, rows, publish_day):
    receipt = publish_day(using=connected)
    assert receipt.details["postgres_rows"] == 4
    table, manifest = read_list(connected.home, DAY)
    names = "day, rank, user_id, picked_by, propensity, risk, surprise_percentile, reason_1, reason_3, bundle, is_stale"
    names += ", revision, domain"
    found = rows(f"select {names} from dawnlist_risk_list order by rank")
    wanted = [{**row, "revision": manifest["revision"], "domain": "shop"} for row in table.to_pylist()]
    assert found == [tuple(row[name] for name in names.split(", ")) for row in wanted]
    assert rows("select scores ->> 'score_stacker' from dawnlist_risk_list order by rank")[0] == "0.95"
    assert rows("select top_events -> 0 ->> 'event_id' from dawnlist_risk_list where rank = 1") == ["e1"]


def test_publishing_again_changes_nothing(connected, rows, publish_day):
    publish_day(using=connected)
    publish_day(using=connected)
    assert rows() == ["ann", "bob", "cat", "dan"]


def test_accounts_no_longer_on_the_list_are_gone_from_the_table(connected, rows, publish_day):
    publish_day(using=connected)
    add_scores(connected.home, RISKS | {"dan": 0.0, "eve": 0.9}, as_of=LATER, salt="late events")
    publish_day(using=connected, as_of=LATER)
    assert rows() == ["ann", "eve", "bob", "cat"]


def test_an_older_revision_does_not_replace_the_newer_rows(connected, rows, publish_day):
    publish_day(using=connected)
    add_scores(connected.home, RISKS | {"hal": 0.99}, as_of=LATER, salt="late events")
    publish_day(using=connected, as_of=LATER)
    assert "postgres_rows" not in publish_day(using=connected, as_of=AS_OF).details
    assert rows()[0] == "hal"


def test_other_days_and_domains_are_left_alone(connected, rows, publish_day):
    publish_day(using=connected)
    tomorrow = DAY + timedelta(days=1)
    add_scores(connected.home, {"zoe": 0.9}, day=tomorrow, as_of=LATER)
    publish_day(using=connected, day=tomorrow, as_of=LATER)
    other = SHOP.model_copy(update={"name": "other", "list_size": 2})
    publish_day(using=connected, domain=other, as_of=LATER)
    assert rows("select domain, day, count(*) from dawnlist_risk_list group by 1, 2 order by 1, 2") == [
        ("other", DAY, 2),
        ("shop", DAY, 4),
        ("shop", date(2026, 11, 20), 1),
    ]


def test_a_list_of_several_days_replaces_all_of_them(connected, rows, publish_day):
    pack = SHOP.model_copy(update={"list_every": 2, "min_precision": 0.1})
    days = Period.of(DAY, 2).days
    for as_of, worse in ((LATER, days[0]), (LATER + timedelta(hours=1), days[1])):
        for day in days:
            add_scores(connected.home, {"ann": 0.9 if day == worse else 0.1}, day=day, as_of=as_of, salt=str(as_of))
        publish_day(using=connected, domain=pack, day=days[-1], as_of=as_of)
        assert rows("select user_id, day from dawnlist_risk_list") == [("ann", worse)]


def test_hostile_names_are_only_data(connected, rows, publish_day):
    name = "x'); drop table dawnlist_risk_list; --"
    add_scores(connected.home, {name: 0.9}, as_of=LATER, salt="hostile")
    publish_day(using=connected, as_of=LATER)
    assert rows() == [name]


def test_the_longest_id_fits_into_the_index(connected, rows, publish_day):
    name = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=MAX_VALUE))
    add_scores(connected.home, {name: 0.9}, as_of=LATER, salt="long")
    publish_day(using=connected, as_of=LATER)
    assert rows() == [name]


def test_all_rows_or_none(connected, rows, publish_day, server):
    publish_day(using=connected)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("alter table dawnlist_risk_list add check (user_id <> 'eve')")
    add_scores(connected.home, RISKS | {"ann": 0.1, "eve": 0.9}, as_of=LATER, salt="late events")
    with pytest.raises(InputError, match="PostgreSQL refused the list of 2026-11-19"):
        publish_day(using=connected, as_of=LATER)
    assert rows() == ["ann", "bob", "cat", "dan"]


def test_an_id_that_no_index_can_take_is_explained_without_the_id(connected, rows, publish_day):
    endless = "".join(random.Random(7).choices(string.ascii_letters, k=4096))
    add_scores(connected.home, RISKS | {endless: 0.99}, as_of=LATER, salt="endless")
    with pytest.raises(InputError, match="the server said: index row size") as failure:
        publish_day(using=connected, as_of=LATER)
    assert "shorten user_id" in failure.value.fix and endless[:20] not in str(failure.value)


WRONG = {
    "wrong password": "postgresql://dawnlist:sesame-open@127.0.0.1:{port}/postgres",
    "no server": "postgresql://dawnlist:sesame-open@127.0.0.1:1/x",
    "no such option": "postgresql://dawnlist:sesame-open@127.0.0.1:{port}/nowhere?sesame-open=1",
    "no address at all": "sesame-open is no address",
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_connection_that_fails_keeps_the_files_and_the_secret(home, server, publish_day, wrong):
    using = Settings(home=home, postgres_dsn=wrong.format(port=server.split(":")[-1].split("/")[0]))
    with pytest.raises(InputError, match="cannot connect to PostgreSQL") as failure:
        publish_day(using=using)
    assert failure.value.exit_code == 3
    assert "RISK_POSTGRES_DSN" in str(failure.value)
    assert "sesame-open" not in str(failure.value) + repr(failure.value)
    assert failure.value.__suppress_context__
    assert len(read_list(home, DAY)[0]) == 4
