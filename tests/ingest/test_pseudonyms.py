"""Sensitive values never reach the lake, and equal ones stay equal."""

import hmac
import ipaddress
import logging
import stat
from pathlib import Path

import pytest
from deliveries import KEY, SHOP, Shop, event, label
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UsageError
from pipeline.ingest.pseudonyms import network_of

ENTITIES = {"device_id": "phone", "ip": "203.0.113.7", "payment_id": "4111111111111111", "address_id": "Main St 1"}


def digest(column: str, value: str, key: str = KEY) -> str:
    return hmac.new(key.encode(), f"{column}\0{value}".encode(), "sha256").hexdigest()[:32]


def test_pseudonyms_are_the_hmac_anyone_can_compute_with_the_key(shop: Shop) -> None:
    shop.deliver([event(**ENTITIES)])
    [row] = shop.events()
    assert row["device_id"] == "dev_" + digest("device_id", "phone")
    assert row["ip"] == "ip_" + digest("ip", "203.0.113.7")
    assert row["network_id"] == "net_" + digest("network_id", "203.0.113.0/24")
    assert row["payment_id"] == "pay_" + digest("payment_id", "4111111111111111")
    assert row["address_id"] == "adr_" + digest("address_id", "Main St 1")
    assert row["user_id"] == "ann"


@pytest.mark.parametrize("key", ["k" * 16, "k" * 64, "k" * 65, "schlüssel-mit-umlaut"])
def test_keys_of_any_length_make_true_hmac(tmp_path: Path, key: str) -> None:
    shop = Shop(tmp_path, key=key)
    shop.deliver([event(device_id="phöne")])
    assert shop.events()[0]["device_id"] == "dev_" + digest("device_id", "phöne", key)


def test_no_sensitive_value_is_anywhere_in_the_lake(shop: Shop) -> None:
    shop.deliver([event(**ENTITIES), event("e2", **ENTITIES, amount="x")])
    lake = b"".join(content for path, content in shop.content().items() if path.startswith("lake"))
    for value in ENTITIES.values():
        assert value.encode() not in lake


def test_the_same_text_in_two_columns_has_two_pseudonyms(shop: Shop) -> None:
    shop.deliver([event(device_id="same", payment_id="same")])
    [row] = shop.events()
    assert row["device_id"][4:] != row["payment_id"][4:]


def test_a_sensitive_user_is_hidden_in_events_and_labels_alike(tmp_path: Path) -> None:
    shop = Shop(tmp_path, SHOP.model_copy(update={"sensitive": ("user_id", "session_id", "counterparty_id")}))
    shop.deliver([event("e1", session_id="s", counterparty_id="c", device_id="phone", ip="203.0.113.7")])
    shop.deliver_labels([label(), {**label(), "event_id": "e1", "user_id": "", "happened_at": ""}])
    [row] = shop.events()
    assert row["user_id"] == "usr_" + digest("user_id", "ann")
    assert {found["user_id"] for found in shop.labels()} == {row["user_id"]}
    assert row["session_id"].startswith("ses_")
    assert row["counterparty_id"].startswith("cpt_")
    assert (row["device_id"], row["ip"], row["network_id"]) == ("phone", "203.0.113.7", "203.0.113.0/24")


@pytest.mark.parametrize(
    ("ip", "canonical", "network"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("2001:DB8:1:2::3", "2001:db8:1:2::3", "2001:db8:1::/48"),
        ("2001:db8:0001:0002:0:0:0:3", "2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::1", "fe80::/48"),
        ("010.1.2.3", "010.1.2.3", None),
        ("256.1.2.3", "256.1.2.3", None),
        ("unknown", "unknown", None),
    ],
)
def test_an_ip_keeps_its_network(shop: Shop, ip: str, canonical: str, network: str | None) -> None:
    assert network_of(ip) == (canonical, network)
    shop.deliver([event(ip=ip)])
    [row] = shop.events()
    assert row["ip"] == "ip_" + digest("ip", canonical)
    assert row["network_id"] == (network and "net_" + digest("network_id", network))


@given(st.ip_addresses(v=4).map(str) | st.text("0123456789.", max_size=16))
def test_the_fast_way_takes_what_ipaddress_takes_for_ipv4(text: str) -> None:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        assert network_of(text) == (text, None)
    else:
        assert network_of(text) == (text, str(ipaddress.ip_network(f"{text}/24", strict=False)))


def test_a_laptop_gets_a_key_of_its_own_once(tmp_path: Path) -> None:
    shop = Shop(tmp_path, key=None)
    shop.deliver([event(**ENTITIES)])
    path = shop.home / "key"
    key = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shop.deliver([event("e2", **ENTITIES)], "more.csv")
    assert path.read_text() == key
    assert len({row["device_id"] for row in shop.events()}) == 1
    assert shop.events()[0]["device_id"] == "dev_" + digest("device_id", "phone", key.strip())


def test_a_domain_without_secrets_needs_no_key(tmp_path: Path) -> None:
    shop = Shop(tmp_path, SHOP.model_copy(update={"sensitive": ()}), key=None)
    shop.deliver([event(**ENTITIES)])
    assert not (shop.home / "key").exists()
    assert shop.events()[0]["device_id"] == "phone"


def test_a_lost_key_is_not_silently_replaced(tmp_path: Path) -> None:
    shop = Shop(tmp_path, key=None)
    shop.deliver([event(**ENTITIES)])
    (shop.home / "key").unlink()
    with pytest.raises(UsageError, match="key of this home is gone"):
        shop.deliver([event("e2")], "more.csv")


@pytest.mark.parametrize(
    ("key", "says"), [("another key, also long", "not the pseudonymisation key"), ("too small", "shorter than 16")]
)
def test_a_wrong_key_is_refused_and_not_shown(tmp_path: Path, key: str, says: str) -> None:
    Shop(tmp_path).deliver([event(**ENTITIES)])
    with pytest.raises(UsageError, match=says) as caught:
        Shop(tmp_path, key=key).deliver([event("e2")], "more.csv")
    assert key not in str(caught.value)


def test_a_key_others_can_read_is_refused(tmp_path: Path) -> None:
    shop = Shop(tmp_path, key=None)
    shop.deliver([event()])
    (shop.home / "key").chmod(0o644)
    with pytest.raises(UsageError, match="others can read"):
        shop.deliver([event("e2")], "more.csv")


def test_the_key_shows_up_nowhere(shop: Shop, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    receipt = shop.deliver([event(**ENTITIES), event("e2", amount="x")], progress=True)
    seen = caplog.text + "".join(capfd.readouterr()) + receipt.model_dump_json() + repr(shop.settings)
    assert KEY not in seen
    assert all(KEY.encode() not in content for content in shop.content().values())


def test_duckdb_never_holds_the_key(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.ingest import store

    held: list[str] = []
    drop = store.drop_event_duplicates

    def looking(con, lake):
        held.append(repr(con.execute("select * from duckdb_variables()").fetchall()))
        held.append(repr(con.execute("select * from duckdb_settings()").fetchall()))
        return drop(con, lake)

    monkeypatch.setattr(store, "drop_event_duplicates", looking)
    shop.deliver([event(**ENTITIES)])
    assert len(held) == 2
    assert KEY not in "".join(held)
    assert held[0] == "[]"
