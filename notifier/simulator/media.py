"""Make the files that simulated results link to: small, and real enough to be opened."""

import io
import struct
import wave
import zlib

from notifier.simulator.script import PreparedReply, make_missing_reply

SIDE = 16  # pixels; enough to be seen
RATE = 8_000  # samples a second, the least that players take


def make_file(path: str) -> PreparedReply:
    """Make the file of a path by its suffix: a PNG, a WAV, or a video container with no frame."""
    kinds = {
        "png": ("image/png", make_png),
        "jpg": ("image/png", make_png),
        "jpeg": ("image/png", make_png),
        "webp": ("image/png", make_png),
        "wav": ("audio/wav", make_wav),
        "mp3": ("audio/wav", make_wav),
        "mp4": ("video/mp4", make_mp4),
    }
    name = path.rpartition("/")[2]
    kind = kinds.get(name.rpartition(".")[2].lower() if "." in name else "mp4")
    if kind is None:
        return make_missing_reply()
    return PreparedReply(200, kind[1](), {"content-type": kind[0]})


def make_png() -> bytes:
    """Make a green square."""
    row = b"\0" + bytes((0, 160, 80)) * SIDE
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * SIDE)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def make_wav() -> bytes:
    """Make a tenth of a second of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(bytes(RATE // 10 * 2))
    return file.getvalue()


def make_mp4() -> bytes:
    """Make an MP4 container: its type and an empty block of media."""
    brand = b"isom" + struct.pack(">I", 512) + b"isomiso2mp41"
    boxes = ((b"ftyp", brand), (b"free", b""), (b"mdat", b""))
    return b"".join(struct.pack(">I", 8 + len(data)) + name + data for name, data in boxes)
