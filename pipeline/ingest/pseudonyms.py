"""Replace sensitive values by keyed pseudonyms: equal values stay equal, and nobody can guess them without the key."""

import hashlib
import hmac
import ipaddress
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

import duckdb
import pyarrow as pa
from pydantic import BaseModel

from pipeline.domain import Domain
from pipeline.errors import UsageError
from pipeline.settings import Settings
from pipeline.sql import quoted
from pipeline.storage.files import make_folder, publish, read_model, write_json

PREFIXES = {
    "user_id": "usr_",
    "session_id": "ses_",
    "device_id": "dev_",
    "ip": "ip_",
    "network_id": "net_",
    "payment_id": "pay_",
    "address_id": "adr_",
    "counterparty_id": "cpt_",
}
SHORTEST_KEY = 16


class KeyCheck(BaseModel):
    """lake/key.json: proves which key the home began with, without revealing it."""

    check: str


def key_of(settings: Settings, domain: Domain) -> bytes | None:
    """The home's key, created if there is none. None if the domain has no sensitive columns.

    Raises UsageError if the key is lost, changed, too short, or readable by others.
    """
    if not domain.sensitive:
        return None
    path = settings.home / "key"
    check_file = settings.home / "lake" / "key.json"
    fix = f"restore {path} from your backup, or set RISK_KEY to the key this home began with"
    if settings.key is not None:
        key = settings.key.get_secret_value().strip().encode()
    elif path.is_file():
        if path.stat().st_mode & 0o077:
            raise UsageError(f"others can read {path}", fix=f"chmod 600 {quote(str(path))}")
        key = path.read_bytes().strip()
    elif check_file.is_file():
        raise UsageError("the pseudonymisation key of this home is gone", "new events would match no old ones", fix=fix)
    else:
        key = _create(path)
    if len(key) < SHORTEST_KEY:
        raise UsageError(f"the pseudonymisation key is shorter than {SHORTEST_KEY} characters", fix=fix)
    check = hmac.digest(key, b"dawnlist key check", "sha256").hex()[:16]
    if not check_file.is_file():
        write_json(check_file, {"check": check})
    elif read_model(check_file, KeyCheck).check != check:
        raise UsageError("this is not the pseudonymisation key this home began with", fix=fix)
    return key


def _create(path: Path) -> bytes:
    key = secrets.token_hex(32).encode()
    make_folder(path.parent)
    aside = path.with_name(".key.tmp")
    aside.unlink(missing_ok=True)
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, key + b"\n")
    finally:
        os.close(handle)
    publish(aside, path)
    return key


class Hmac:
    """HMAC-SHA256(key, column NUL value), cut to 128 bits. Equal values in two columns have different pseudonyms.

    The key stays in Python: in DuckDB, a pack's expressions could read it.
    """

    def __init__(self, key: bytes) -> None:
        block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
        self.inner = {
            column: hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + column.encode() + b"\0")
            for column in PREFIXES
        }
        self.outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def pseudonym(self, column: str, value: str) -> str:
        inner, outer = self.inner[column].copy(), self.outer.copy()  # three times as fast as hmac.digest
        inner.update(value.encode())
        outer.update(inner.digest())
        return PREFIXES[column] + outer.hexdigest()[:32]


OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
IPV4 = re.compile(rf"(?:{OCTET}\.){{3}}{OCTET}", re.ASCII)
REMEMBERED = 300_000  # pseudonyms kept from one chunk to the next, per column


class Pseudonyms:
    """Replaces sensitive values, chunk by chunk. Each value is hashed once, then looked up."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, domain: Domain, columns: Sequence[str], key: bytes | None
    ) -> None:
        self.con, self.has_ip = con, "ip" in columns
        self.hmac = Hmac(key or b"")
        self.is_ip_hidden = "ip" in domain.sensitive
        self.hidden = [name for name in columns if name in domain.sensitive and name != "ip"]
        for name in self.hidden:
            con.execute(f"create temp table if not exists hidden_{name} (value varchar, pseudonym varchar)")
        if self.has_ip:
            con.execute("create temp table hidden_ip (value varchar, pseudonym varchar, network varchar)")

    def learn(self, table: str) -> None:
        """Compute the pseudonym of every new sensitive value in `table`."""
        for name in [*self.hidden, *(["ip"] if self.has_ip else [])]:
            [(remembered,)] = self.con.execute(f"select count(*) from hidden_{name}").fetchall()
            if remembered > REMEMBERED:
                self.con.execute(f"truncate hidden_{name}")
            new = self.con.sql(
                f"select distinct {name} as value from {table} anti join hidden_{name} "
                f"on hidden_{name}.value = {table}.{name} where {name} is not null"
            )
            values = new.to_arrow_table().column("value").to_pylist()
            if not values:
                continue
            columns = self._ips(values) if name == "ip" else [[self.hmac.pseudonym(name, value) for value in values]]
            arrays = [pa.array(column, pa.string()) for column in (values, *columns)]
            self.con.register("learned", pa.table(arrays, names=["value", "pseudonym", "network"][: len(arrays)]))
            self.con.execute(f"insert into hidden_{name} from learned")
            self.con.unregister("learned")

    def _ips(self, ips: list[str]) -> list[list[str | None]]:
        """Pseudonyms of addresses and of their networks."""
        addresses = [network_of(ip) for ip in ips]
        if not self.is_ip_hidden:
            return [list(ips), [network for _, network in addresses]]
        hidden = self.hmac.pseudonym
        networks = {network: hidden("network_id", network) for _, network in addresses if network is not None}
        return [
            [hidden("ip", canonical) for canonical, _ in addresses],
            [networks[network] if network is not None else None for _, network in addresses],
        ]

    def select(self, columns: Sequence[str], others: str, table: str) -> str:
        """SQL of `table`: sensitive `columns` replaced, `others` kept, network_id added where there is an ip."""
        replaced = {name: f"hidden_{name}.pseudonym" for name in [*self.hidden, *(["ip"] if self.has_ip else [])]}
        cells = [f"{replaced.get(name, f'{table}.{name}')} as {quoted(name)}" for name in columns]
        cells += ["hidden_ip.network as network_id"] if self.has_ip else []
        joins = [f"left join hidden_{name} on hidden_{name}.value = {table}.{name}" for name in replaced]
        return f"select {', '.join(cells)}, {others} from {table} {' '.join(joins)}"


def network_of(ip: str) -> tuple[str, str | None]:
    """The address in one notation, and its network: /24 for IPv4, /48 for IPv6. None if it is no address."""
    if IPV4.fullmatch(ip):  # nearly all are, and ipaddress is slow
        return ip, ip[: ip.rindex(".")] + ".0/24"
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return ip, None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    length = 24 if address.version == 4 else 48
    return str(address), str(ipaddress.ip_network(f"{address}/{length}", strict=False))
