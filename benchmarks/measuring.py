"""The child process: imports a contender, prepares its job, runs it once, and prints the time and memory it took.

Runs nothing else, so that peak memory is that contender's and no cache is left from another.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path

import contenders
from task import Answer, Prepare, Task, Unavailable

STATUS = Path("/proc/self/status")


def memory_bytes(peak: bool) -> int:
    """Resident memory of this process, now or at its highest.

    Not ru_maxrss where it can be avoided: after an exec that still holds the parent's.
    """
    if STATUS.exists():
        wanted = "VmHWM:" if peak else "VmRSS:"
        line = next(x for x in STATUS.read_text(encoding="ascii").splitlines() if x.startswith(wanted))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measure(task: Task) -> Answer:
    """Do the task and measure it."""
    prepare: Prepare = importlib.import_module(contenders.module_of(task.contender, task.engine)).prepare
    start = memory_bytes(peak=False)
    job = prepare(task)
    started, started_cpu = time.perf_counter(), time.process_time()
    details = job() or {}
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - started_cpu
    return Answer(seconds, cpu_s, start, memory_bytes(peak=True), details.pop("lock_s", None), details=details)


def main() -> None:
    """Answer the task in the first argument on standard output."""
    try:
        answer = measure(Task(**json.loads(sys.argv[1])))
    except Unavailable as exc:
        answer = Answer(unavailable=str(exc))
    except ModuleNotFoundError as exc:
        ours = (exc.name or "").startswith("plugin_sync")
        answer = Answer(failed=str(exc)) if ours else Answer(unavailable=f"{exc.name} is not installed")
    except Exception as exc:  # the parent shows it and goes on with the others
        traceback.print_exc()
        answer = Answer(failed=f"{type(exc).__name__}: {exc}")
    print(json.dumps(asdict(answer)))


if __name__ == "__main__":
    main()
