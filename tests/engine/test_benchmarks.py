"""The benchmark runs, and says what it measured."""

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "benchmarks" / "bench.py"


def test_a_small_run_measures_every_operation(tmp_path):
    figures = tmp_path / "figures.json"
    arguments = ["--db", "sqlite", "--rows", "200", "--repeat", "1", "--only", "raw,engine,pydal", "--json", figures]

    done = subprocess.run([sys.executable, BENCH, *arguments], capture_output=True, text=True, encoding="utf-8", check=False)

    assert done.returncode == 0, done.stderr
    found = json.loads(figures.read_text(encoding="utf-8"))
    assert found["faults"] == []
    assert {(c["contender"], c["operation"]) for c in found["cells"] if c["figure"]} == {
        (contender, operation)
        for contender in ("raw", "engine", "pydal")
        for operation in ("empty", "unchanged", "newer", "export")
    }
    assert "import of unchanged data" in done.stdout


def test_an_unknown_contender_is_named_with_those_there_are():
    done = subprocess.run([sys.executable, BENCH, "--only", "nobody"], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "unknown: nobody; there are raw," in done.stderr


def test_the_formats_are_measured_beside_each_other():
    command = [sys.executable, BENCH.with_name("formats.py"), "--rows", "200", "--repeat", "1"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)

    assert done.returncode == 0, done.stderr
    measured = [line[:34].split()[-1] for line in done.stdout.splitlines()[1:]]
    assert measured == ["csv", "s3xml"] * 3
