"""Lists of numbers in JSON text, straight to NumPy, without a Python object for each number.

The work is done by a library compiled from ``json_lists.c`` when pelton is installed, by whatever
C compiler is there. It knows nothing of Python, so it serves a model's environment of any version.
Without it nothing is read, and callers parse by other means.
"""

from __future__ import annotations

import ctypes
import functools
import json
import math
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

_LIBRARY = Path(__file__).with_name("libjson_lists.so")

_MAX_DIMENSIONS = 8
_LEAST_POWER, _MOST_POWER = -342, 308  # of ten, as in json_lists.c

#: A number and what separates it from the next are two bytes at least.
_BYTES_A_NUMBER = 2
#: Up to here several texts are copied into one: the address of each costs more.
_COPIED_BYTES = 128 * 1024


def is_compiled() -> bool:
    """Return whether there is a library for this machine; without it nothing is read."""
    return _library is not None


def reference(text: bytes, start: int) -> tuple[Doubles, int]:
    """Return the list that begins at ``text[start]`` and where it ends.

    The specification of ``read``, for what it reads.
    """
    rest = text[start:].decode()
    value, length = json.JSONDecoder().raw_decode(rest)
    return np.array(value, dtype=np.float64), start + len(rest[:length].encode())


def read(text: bytes | bytearray | memoryview, start: int) -> tuple[Doubles, int] | None:
    """Return the list of numbers that begins at ``text[start]``, and where it ends.

    Args:
        text: JSON, from ``start`` on.
        start: where the list begins, in bytes.

    Returns:
        Its numbers in the shape of the lists. ``None`` if it must be read otherwise: it is no list,
        or ragged, empty, or holds more than numbers; an integer no double can hold, a number with
        more than 19 digits, or a subnormal one.
    """
    if _library is None:
        return None
    capacity = (len(text) - start) // _BYTES_A_NUMBER + 1
    numbers = np.empty(capacity)
    lengths = _Lengths()
    address = text if type(text) is bytes else np.frombuffer(text, dtype=np.uint8).ctypes.data
    end = _library.read_one(address, len(text), start, numbers.ctypes.data, capacity, lengths)
    if end < 0:
        return None
    return _cut(numbers, [length for length in lengths if length >= 0]), end


def reference_several(
    texts: Sequence[bytes], prefix: bytes, suffix: bytes
) -> tuple[Doubles, list[int]]:
    """Return what the lists in all ``texts`` hold: the specification of ``read_several``."""
    lists = [json.loads(text[len(prefix) : len(text) - len(suffix)]) for text in texts]
    held = np.array([member for several in lists for member in several], dtype=np.float64)
    return held, list(map(len, lists))


def read_several(
    texts: Sequence[bytes], prefix: bytes, suffix: bytes
) -> tuple[Doubles, list[int]] | None:
    """Return what the lists of numbers in ``texts`` hold, one after the other.

    Args:
        texts: one at least; each is ``prefix``, a list, and ``suffix``.
        prefix, suffix: any bytes.

    Returns:
        An array of what the lists hold, numbers or lists of one shape, along axis 0, and how many
        of it are each text's. ``None`` if it must be read otherwise: a text is none of those, the
        shapes differ, or for a reason that ``read`` has.

    Raises:
        TypeError: a text is not of ``bytes``.
    """
    if _library is None:
        return None
    if set(map(type, texts)) != {bytes}:
        raise TypeError("texts must be of bytes")
    count, sizes = len(texts), list(map(len, texts))
    total = sum(sizes)
    capacity = total // _BYTES_A_NUMBER + 1
    numbers = np.empty(capacity)
    pack, pointers, longs = _array_types(count)
    is_small = total <= _COPIED_BYTES
    counts, lengths = longs(), _Lengths()
    if _library_at_once.read_texts(
        b"".join(texts) if is_small else None,
        None if is_small else pointers(*texts),
        pack(*sizes),
        count,
        prefix,
        len(prefix),
        suffix,
        len(suffix),
        ctypes.addressof(_Bytes.from_buffer(numbers.data)),
        capacity,
        counts,
        lengths,
    ):
        return None
    counted = counts[:]
    shape = [sum(counted), *[length for length in lengths[1:] if length >= 0]]
    return _cut(numbers, shape), counted


def _cut(numbers: Doubles, shape: list[int]) -> Doubles:
    """Return what has been read, without the room for more.

    That is most of it, and nothing has been written there. Kept, it would make malloc give memory
    back with each batch, and the kernel find it anew for the next.
    """
    numbers.resize(math.prod(shape), refcheck=False)
    return numbers.reshape(shape)


@functools.lru_cache(maxsize=256)
def _array_types(count: int) -> tuple[Any, Any, Any]:
    """Return what packs so many longs, and the types of arrays of pointers and of longs."""
    return struct.Struct(f"@{count}l").pack, ctypes.c_char_p * count, ctypes.c_long * count


def _powers() -> Iterator[int]:
    """Yield the upper 128 bits of each power of ten, rounded up below 1, in two words."""
    for power in range(_LEAST_POWER, _MOST_POWER + 1):
        if power >= 0:
            upper = (10**power << 128) >> (10**power).bit_length()
        else:
            upper = (1 << ((10**-power).bit_length() + 127)) // 10**-power + 1
            upper >>= upper.bit_length() - 128
        yield upper >> 64
        yield upper & 2**64 - 1


def _load(load: Any) -> Any:
    """Return the library, called by way of ``load``; ``None`` if none fits this machine."""
    pointer, long, text = ctypes.c_void_p, ctypes.c_long, ctypes.c_char_p
    try:
        library = load(str(_LIBRARY))
        library.set_powers.argtypes = (pointer,)
        library.read_one.restype = library.read_texts.restype = long
        library.read_one.argtypes = (pointer, long, long, pointer, long, pointer)
        library.read_texts.argtypes = (
            text, pointer, pointer, long, text, long, text, long, pointer, long, pointer, pointer,
        )  # fmt: skip
    except (OSError, AttributeError):  # of another machine, or another version of pelton
        return None
    return library


_Bytes = ctypes.c_char * 0
_Lengths = ctypes.c_long * (_MAX_DIMENSIONS + 1)

_library = _load(ctypes.CDLL)  # other threads run meanwhile: for large texts
_library_at_once = _load(ctypes.PyDLL)
if _library is not None:
    _table = tuple(_powers())
    _library.set_powers((ctypes.c_uint64 * len(_table))(*_table))
