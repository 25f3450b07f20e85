"""Random numbers and codes, and the identifiers and network addresses made from codes. Whole columns at a time."""

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Array = npt.NDArray[Any]

_HEX = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint16)
_OCTETS = pa.array([str(byte) for byte in range(256)])
# First octets of public addresses, without those for documentation, private and reserved use.
_FIRST = np.array([o for o in range(2, 223) if o not in (10, 100, 127, 169, 172, 192, 198, 203)], dtype=np.uint64)


def name_code(text: str) -> int:
    """A stable number for a name."""
    return zlib.crc32(text.encode())


def generator(seed: int, day: int, process: str) -> np.random.Generator:
    """The random numbers of one process on one day (-100 or later). They depend on nothing else."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, day + 100, name_code(process)])))


def mix(*parts: Any) -> Array:
    """Hash integers or arrays of them into 64 bits, element by element (splitmix64)."""
    total: Array = np.zeros(1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for part in parts:
            total = _scramble(
                (total + np.asarray(part).astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1)
            )
    return total


def _scramble(x: Array) -> Array:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x = x ^ (x >> np.uint64(31))
    return x


def uniform(*parts: Any) -> Array:
    """The hash as a number from 0 to below 1."""
    return (mix(*parts) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def new_codes(rng: np.random.Generator, n: int) -> Array:
    """Codes of `n` new devices, cards or addresses. Never 0, which means none."""
    return rng.integers(1, 2**62, n, dtype=np.int64)


def identifiers(prefix: str, seed: int, codes: Array) -> pa.Array:
    """Identifiers like `d_0123456789abcdef`. Null where the code is 0 or less."""
    column = hexadecimal(prefix, mix(seed, name_code(prefix), codes))
    return pc.if_else(pa.array(codes > 0), column, pa.scalar(None, pa.string()))


def hexadecimal(prefix: str, hashed: Array) -> pa.Array:
    """Hashes in hexadecimal, so text sorts as the numbers do."""
    text = np.empty((len(hashed), len(prefix) + 16), dtype=np.uint8)
    text[:, : len(prefix)] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    text[:, len(prefix) :] = _HEX[hashed.astype(">u8").view(np.uint8).reshape(-1, 8)].view(np.uint8).reshape(-1, 16)
    offsets = np.arange(len(hashed) + 1, dtype=np.int32) * np.int32(text.shape[1])
    return pa.StringArray.from_buffers(len(hashed), pa.py_buffer(offsets), pa.py_buffer(text))


def address(network: Array, host: Array) -> Array:
    """IPv4 addresses as integers. The network decides three octets, the host the last."""
    hashed = mix(name_code("network"), network)
    first = _FIRST[(hashed % np.uint64(len(_FIRST))).astype(np.int64)]
    middle = (hashed >> np.uint64(32)) & np.uint64(0xFFFF)
    last = np.uint64(1) + mix(name_code("host"), host) % np.uint64(254)
    whole: Array = ((first << np.uint64(24)) | (middle << np.uint64(8)) | last).astype(np.int64)
    return whole


def dotted(addresses: Array) -> pa.Array:
    """Addresses as text, like `84.17.45.9`."""
    octets = [_OCTETS.take(pa.array((addresses >> shift) & 255)) for shift in (24, 16, 8, 0)]
    return pc.binary_join_element_wise(*octets, ".")


def pick(rng: np.random.Generator, weights: Array, n: int) -> Array:
    """`n` indices drawn with these weights, with replacement."""
    edges = np.cumsum(weights, dtype=np.float64)
    indices: Array = np.searchsorted(edges, rng.random(n) * edges[-1], side="right")
    return np.minimum(indices, len(weights) - 1)
