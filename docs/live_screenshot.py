"""Draw the interactive ``oomctl top`` of a made-up desktop: python -m docs.live_screenshot > docs/live.svg"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path

from oomctl.live.ask import Ask
from oomctl.live.shot import shoot
from oomctl.procfs.sampler import Sampler
from oomctl.render import fields
from oomctl.tui.app import TopApp
from tests.proc_tree import ProcTree

SIZE = (120, 36)
PAGES_PER_MIB = 256
KEYS = ("down", "down", "down", "down", "minus", "minus", "minus", "up", "up", "plus", "enter")


def desktop(directory: Path) -> ProcTree:
    """A desktop with a browser, a compiler and a database."""
    tree = ProcTree(directory, mem_total_kb=24_684_092)
    tree.mount_v2()
    tree.write("pressure/memory", "some avg10=4.18 avg60=1.00 avg300=0.20\nfull avg10=1.02 avg60=0.30 avg300=0.05\n")
    session, services = "/user.slice/session-2.scope", "/system.slice"
    processes = (
        ("pipewire", 11, 200, 800, "/user.slice/pipewire.service"),
        ("Web Content", 429, 167, 789, session),
        ("Web Content", 129, 167, 781, session),
        ("Isolated Web Co", 159, 100, 737, session),
        ("java", 1843, 0, 717, f"{services}/tomcat10.service"),
        ("firefox", 1210, 0, 699, session),
        ("cc1plus", 640, 0, 683, session),
        ("postgres", 512, 0, 680, f"{services}/postgresql@15-main.service"),
        ("postgres", 2310, -900, 130, f"{services}/postgresql@15-main.service"),
        ("gnome-shell", 388, 0, 676, session),
        ("snapd", 46, -900, 67, f"{services}/snapd.service"),
        ("sshd", 9, -1000, 0, f"{services}/ssh.service"),
    )
    for pid, (comm, mib, adj, score, cgroup) in enumerate(processes, start=21555):
        uid = 0 if cgroup.startswith(services) else 1000
        pages = mib * PAGES_PER_MIB
        tree.add(pid, comm, pages, adj=adj, score=score, uid=uid, pgtables_kb=mib * 2, cgroup=f"0::{cgroup}\n")
    return tree


async def picture(tree: ProcTree) -> str:
    sampler = Sampler(str(tree.root))
    # Without users: who has which number differs from machine to machine.
    ask = Ask(tuple(fields.find(name) for name in fields.DEFAULT if name != "user"))
    app = TopApp(ask, sampler, 3600, shoot(sampler, ask), kmsg=tree.write("kmsg", ""), theme_name="dark")
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press(*KEYS)
        await pilot.pause()
        return app.export_screenshot(title="oomctl top")


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        svg = asyncio.run(picture(desktop(Path(directory))))
    # It fetches no font from the network: whoever looks at it has a monospaced one.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL).replace("Fira Code, ", "")
    sys.stdout.write(re.sub(r"terminal-\d+", "live", svg))


if __name__ == "__main__":
    main()
