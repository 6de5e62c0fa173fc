"""Ends the processes of a local AWS by what their environment holds. Never decides what that is.

A process that starts a program has an empty environment until its new memory has one, like a zombie: as crates/processes
tells, which reads the same. It is looked at again.
"""

import contextlib
import os
import signal
import time

# Between two looks at a process that starts a program, and at what is left of those that were killed.
PAUSE = 0.001
# The longest wait for one process to have started its program.
PATIENCE = 1
# The longest time in which all are killed: a killed process is gone in milliseconds, if it is not in uninterruptible sleep.
LIMIT = 5


def kill_all(mark):
    """Kills every process whose environment holds this, but for this one: again and again, for one may be starting another."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        found = [process for process in map(int, filter(str.isdecimal, os.listdir("/proc"))) if holds(process, mark)]
        if not found:
            return
        for process in found:
            # It may have ended by itself.
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
        time.sleep(PAUSE)


def holds(process, mark):
    """Whether the environment of another process holds this."""
    # It may be gone by now, or another user's.
    with contextlib.suppress(OSError):
        return process != os.getpid() and mark in environment(process)
    return False


def environment(process):
    """The environment of a process, when it has one."""
    deadline = time.monotonic() + PATIENCE
    while not (found := shown(process)) and is_starting(process) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    # It may have got through with it since.
    return found or shown(process)


def shown(process):
    with open(f"/proc/{process}/environ", "rb") as file:
        return file.read()


def is_starting(process):
    """Whether it has a program, and memory that nobody has put an environment into (`env_end` of proc(5), the 51st field)."""
    try:
        os.readlink(f"/proc/{process}/exe")
        with open(f"/proc/{process}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return False
    return len(fields) > 48 and fields[48] == b"0"
