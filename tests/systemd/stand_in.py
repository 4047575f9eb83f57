"""A stand-in for systemctl where no systemd runs: units are files, and a daemon-reload is what makes them count.

The proof with a real systemd is in tests/vm; this is for what a healthy one never does, and for messages.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

SOURCE = """\
#!{python}
import pathlib, re, shutil, sys
home = pathlib.Path({home!r})
units, words = home / "units", sys.argv[1:]
(home / "calls").open("a").write(" ".join(words) + "\\n")
failure = home / ("fails-" + words[2])
if failure.exists():
    sys.exit(failure.read_text())
if words[2] == "daemon-reload":
    shutil.rmtree(home / "loaded", ignore_errors=True)
    shutil.copytree(units, home / "loaded", symlinks=True)
elif words[2] == "show" and "--" not in words:
    print("DefaultOOMScoreAdjust=" + (home / "default").read_text() if (home / "default").exists() else "")
elif words[2] == "show":
    for name in words[words.index("--") + 1:]:
        path = units / name
        unit = path.resolve().name
        files = [units / unit, *sorted((units / (unit + ".d")).glob("*.conf"))]
        loaded = "".join((home / "loaded" / file.relative_to(units)).read_text() for file in files
                         if (home / "loaded" / file.relative_to(units)).exists())
        found = re.findall(r"^OOMScoreAdjust=(.*)$", loaded, re.MULTILINE)
        pid = home / (unit + ".pid")
        print("Id=" + unit)
        print("LoadState=" + ("loaded" if path.exists() else "not-found"))
        print("MainPID=" + (pid.read_text() if pid.exists() else "0"))
        print("OOMScoreAdjust=" + (found[-1] if found else "0"))
        print("FragmentPath=" + (str(files[0]) if path.exists() else ""))
        print("DropInPaths=" + " ".join(map(str, files[1:])) + "\\n")
"""


class StandIn:
    """Puts a ``systemctl`` at the beginning of PATH; ``units`` takes the place of /etc/systemd/system."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.units = home / "units"
        self.bin = home / "bin"
        self.bin.mkdir(parents=True)
        self.units.mkdir()
        program = self.bin / "systemctl"
        program.write_text(SOURCE.format(python=sys.executable, home=str(home)))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def unit(self, name: str, text: str = "[Service]\n", main_pid: int | None = None) -> Path:
        path = self.units / name
        path.write_text(text)
        if main_pid is not None:
            (self.home / f"{name}.pid").write_text(str(main_pid))
        (self.home / "loaded").mkdir(exist_ok=True)
        (self.home / "loaded" / name).write_text(text)
        return path

    def alias(self, name: str, unit: str) -> None:
        os.symlink(unit, self.units / name)

    def fail(self, verb: str, message: str) -> None:
        (self.home / f"fails-{verb}").write_text(message)

    def calls(self, verb: str) -> list[str]:
        lines = (self.home / "calls").read_text().splitlines() if (self.home / "calls").exists() else []
        return [line for line in lines if verb in line.split()]
