"""Runs a command once and prints what it took: wall seconds, CPU seconds and peak resident KiB of the command and all it waited for, exit code.

Kept without imports that cost memory: what a process was before it became the command counts as its own peak (see `floor` in side_by_side.py).
"""

import os
import sys
import time

null = os.open(os.devnull, os.O_RDWR)
actions = [(os.POSIX_SPAWN_DUP2, null, stream) for stream in (0, 1, 2)]
started = time.perf_counter()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=actions)
_, status, usage = os.wait4(child, 0)
wall = time.perf_counter() - started
print(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
