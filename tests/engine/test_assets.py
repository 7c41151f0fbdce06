"""Compressed twins follow their originals."""

import gzip
import os

from plugin_sync.assets import compress_static


def test_twins_are_made_once_and_follow_their_originals(tmp_path):
    css, text = tmp_path / "x.css", tmp_path / "x.txt"
    css.write_text("a{}" * 100, encoding="ascii")
    text.write_text("x", encoding="ascii")
    assert compress_static(tmp_path) == ["x.css.gz"]
    twin = tmp_path / "x.css.gz"
    assert gzip.decompress(twin.read_bytes()) == css.read_bytes()
    assert twin.stat().st_mtime_ns == css.stat().st_mtime_ns
    assert compress_static(tmp_path) == []
    css.write_text("b{}", encoding="ascii")
    os.utime(css, ns=(1, 1))  # as an older version that is put back
    assert compress_static(tmp_path) == ["x.css.gz"]
    assert gzip.decompress(twin.read_bytes()) == b"b{}"
    css.unlink()
    assert compress_static(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


def test_a_folder_that_is_not_there_is_nothing(tmp_path):
    assert compress_static(tmp_path / "none") == []
