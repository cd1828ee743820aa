# SPDX-License-Identifier: EUPL-1.2
"""Real programs beside ours: found, started on a free port, asked, ended."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request


def tool(name):
    cache = pathlib.Path(os.environ.get("ROCM_BENCH_CACHE") or pathlib.Path(
        os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "rocm-bench")
    unpacked = cache / "prometheus/usr/bin" / name
    found = str(unpacked) if unpacked.exists() else shutil.which(name)
    assert found, f"{name} is not here: ci/packages.sh test unpacks it"
    return found


def eventually(look, limit=30.0):
    """The first true value of look(), asked every 50 ms."""
    end = time.monotonic() + limit
    while True:
        value = look()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.05)


def free_port():
    with socket.socket() as any_free:
        any_free.bind(("127.0.0.1", 0))
        return any_free.getsockname()[1]


class Listening:
    """A program that logs where it listens."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.lines, self.address = [], None
        threading.Thread(target=self._read, daemon=True).start()
        assert eventually(lambda: self.address), "\n".join(self.lines)
        self.url = "http://" + self.address

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)
            if match := re.search(r'"Listening on" address=(\S+)', line):
                self.address = match[1]

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def interruptible():
    """For preexec_fn: a shell cannot trap what its parent had told it to ignore."""
    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, signal.SIG_DFL)


def processes_with(text):
    """Command lines that hold the text."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended
            continue
        if text in line:
            found.append(line)
    return found
