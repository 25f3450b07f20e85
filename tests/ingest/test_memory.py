"""A small file cannot make ingest large: memory is bounded in rows as well as in bytes."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HEADER = b"user_id,event_at,event_type"
LIMIT = 400  # MiB of the whole process, of which the libraries take about 200
PROGRAM = """
import re, sys
from pathlib import Path
from deliveries import Shop

path = Path(sys.argv[1])
receipt = Shop(path.parent).ingest(path)
# not getrusage: a child begins with its parent's peak
[peak] = re.findall(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(receipt.read, int(peak) // 1024)
"""
GOOD = b"\nann,2026-11-20,cart"
FILES = {
    "a million short lines": ("short.csv.gz", HEADER + GOOD, b"\nx", 10**6, 10**6 + 1),
    "an endless quote": ("quote.csv.gz", HEADER + GOOD + b'\n"', b"x\n" * 10**6, 100, 2),
    "a wide header": ("wide.csv", HEADER + b",x" * 300_000, GOOD + b"," * 300_000, 30, 30),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
@pytest.mark.parametrize(("name", "head", "part", "times", "rows"), FILES.values(), ids=FILES)
def test_ingest_stays_small(tmp_path: Path, name: str, head: bytes, part: bytes, times: int, rows: int) -> None:
    path = tmp_path / name
    with gzip.open(path, "wb", 1) if name.endswith("gz") else path.open("wb") as file:
        file.write(head)
        for _ in range(times):
            file.write(part)
    command = [sys.executable, "-c", PROGRAM, str(path)]
    found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    read, peak = map(int, found.stdout.split())
    assert read == rows
    assert peak < LIMIT
