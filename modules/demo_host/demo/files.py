"""Small files to upload, made here: pictures, reports and points on a map."""

import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a record's upload field holds."""

    name: str
    content: bytes


def png(width: int, height: int, seed: int) -> bytes:
    """A picture: a plain gradient, another for each seed."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)  # each row begins with its filter: none
        for x in range(width):
            rows += bytes(((x * 255 // width + seed * 40) % 256, y * 255 // height, (seed * 90 + 60) % 256))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def report(number: int, organisation: str) -> bytes:
    """A page of text."""
    lines = [f"Situation report {number + 1}", f"Organisation: {organisation}", ""]
    lines += [f"{hour:02}:00  Convoy {number * 24 + hour} has arrived; nothing is missing." for hour in range(6, 18)]
    return "\r\n".join([*lines, ""]).encode("utf-8")


def geojson(places: list[dict[str, Any]]) -> bytes:
    """Points on a map."""
    features = [
        {
            "type": "Feature",
            "properties": {"name": place["name"]},
            "geometry": {"type": "Point", "coordinates": [place["lon"], place["lat"]]},
        }
        for place in places
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False).encode("utf-8")
