"""PNG files with a palette: a screenshot has few colours that matter, and is a third as large with them."""

import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence

MOST = 256
NEAR = 48  # the square of a distance that nobody sees
_SIGNATURE = b"\x89PNG\r\n\x1a\n"

Colour = tuple[int, int, int]


def with_palette(pixels: bytes, width: int) -> bytes:
    """Write RGBA ``pixels``, whose alpha is taken for none, in their 256 commonest colours.

    Others, such as the edges of letters have, become the nearest of these.
    """
    words = memoryview(pixels).cast("I").tolist()  # as this machine has them: below they are only compared
    counted = Counter(words)
    kept = _kept(map(_colour, dict(counted.most_common())))
    place = {word: _nearest(_colour(word), kept) for word in counted}
    rows = bytes(map(place.__getitem__, words))
    return written(width, [rows[at : at + width] for at in range(0, len(rows), width)], kept)


def written(width: int, rows: Sequence[bytes], palette: Sequence[Colour]) -> bytes:
    """Write a PNG whose rows are places in a palette."""
    header = struct.pack(">IIBBBBB", width, len(rows), 8, 3, 0, 0, 0)
    lines = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    parts = [(b"IHDR", header), (b"PLTE", bytes(_flat(palette))), (b"IDAT", lines), (b"IEND", b"")]
    return _SIGNATURE + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _kept(colours: Iterable[Colour]) -> list[Colour]:
    """The first that differ from each other: of a hundred shades of the commonest few is enough."""
    kept: list[Colour] = []
    for colour in colours:
        if all(_distance(colour, other) > NEAR for other in kept):
            kept.append(colour)
        if len(kept) == MOST:
            break
    return kept


def _colour(word: int) -> Colour:
    red, green, blue, _ = struct.pack("=I", word)
    return red, green, blue


def _nearest(colour: Colour, kept: Sequence[Colour]) -> int:
    return min(range(len(kept)), key=lambda place: _distance(colour, kept[place]))


def _distance(one: Colour, other: Colour) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _flat(palette: Iterable[Colour]) -> Iterable[int]:
    return (part for colour in palette for part in colour)
