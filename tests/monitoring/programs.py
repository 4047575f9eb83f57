"""Debian's prometheus, promtool and node_exporter: downloaded through this machine's apt, unpacked, not installed."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.vm import kernels

_SUITE = "bookworm"
_PACKAGES = ("prometheus", "prometheus-node-exporter")
_PATIENCE_SECONDS = 60.0


def programs() -> Path:
    """Return the directory that has all three. Raises kernels.NotHere where they are not to be had."""
    directory = kernels.cache_directory() / "monitoring"
    with kernels.cache_to_oneself():
        if not (directory / "complete").exists():
            _download(directory)
            (directory / "complete").touch()
    return directory / "usr" / "bin"


def _download(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    downloads = directory / "download"
    downloads.mkdir(parents=True)
    apt = kernels.Apt(_SUITE, directory / "apt")
    apt.run("apt-get", "download", *_PACKAGES, cwd=downloads)
    for package in downloads.glob("*.deb"):
        kernels.run(["dpkg", "-x", str(package), str(directory)])
    shutil.rmtree(downloads)
    shutil.rmtree(directory / "apt")


def promtool(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(programs() / "promtool"), *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def node_exporter(textfiles: Path) -> Iterator[str]:
    """Serve what stands in a directory of text files; yields the address."""
    port = free_port()
    words = (
        f"--web.listen-address=127.0.0.1:{port}",
        f"--collector.textfile.directory={textfiles}",
        "--collector.disable-defaults",
        "--collector.textfile",
    )
    with _running("prometheus-node-exporter", *words, address=f"127.0.0.1:{port}/metrics"):
        yield f"127.0.0.1:{port}"


@contextmanager
def prometheus(directory: Path, target: str, rules: Path) -> Iterator[Prometheus]:
    """Scrape ``target`` every second, with alert rules."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [{"job_name": "node", "static_configs": [{"targets": [target]}]}],
    }
    path = directory / "prometheus.yml"
    path.write_text(json.dumps(config))  # which is YAML as well
    port = free_port()
    words = (
        f"--config.file={path}",
        f"--storage.tsdb.path={directory}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    with _running("prometheus", *words, address=f"127.0.0.1:{port}/-/ready"):
        yield Prometheus(f"127.0.0.1:{port}")


class Prometheus:
    """A server that runs, and what it answers."""

    def __init__(self, address: str) -> None:
        self._address = address

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the vector that an expression has now."""
        words = urllib.parse.urlencode({"query": expression})
        found: list[dict[str, Any]] = self._asked(f"query?{words}")["result"]
        return found

    def firing(self) -> set[str]:
        """Return the names of alerts that wait or fire."""
        return {alert["labels"]["alertname"] for alert in self._asked("alerts")["alerts"]}

    def _asked(self, what: str) -> dict[str, Any]:
        answer = json.loads(fetched(f"{self._address}/api/v1/{what}"))
        assert answer["status"] == "success", answer
        data: dict[str, Any] = answer["data"]
        return data


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def fetched(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}", timeout=10) as answer:
        text: bytes = answer.read()
    return text.decode()


def wait_until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)


@contextmanager
def _running(program: str, *words: str, address: str) -> Iterator[None]:
    with subprocess.Popen(
        [str(programs() / program), *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            wait_until(lambda: _answers(address) or process.poll() is not None, program)
            assert process.poll() is None, process.stderr and process.stderr.read()
            yield
        finally:
            process.kill()


def _answers(address: str) -> bool:
    with suppress(OSError):
        fetched(address)
        return True
    return False
