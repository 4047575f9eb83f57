"""Fail unless the sdist and the wheel given, and oomadm.pyz if it is, hold what they should, and nothing else."""

from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from pathlib import Path

IN_SDIST = (
    *(
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "pyproject.toml",
        "Makefile",
        ".pre-commit-config.yaml",
        "docs/top.svg",
        "docs/live.svg",
    ),
    *("oomctl/cli/main.py", "tests/conftest.py", "benchmarks/speed.py", "completions/build.py", "man/build.py"),
    *(f"packaging/{name}" for name in ("pyz.py", "pyz_main.py", "precompile.py", "bundled.txt", "release.py")),
    *(
        "ansible/galaxy.yml",
        *(f"ansible/plugins/modules/{name}.py" for name in ("oom_score_adj", "oom_facts", "oom_policy")),
        *(f"ansible/roles/oomadm/{name}.yml" for name in ("meta/argument_specs", "tasks/main", "tasks/package")),
        "ansible/roles/oomadm/files/oomctl-policy.service",
    ),
    *("packaging/build_deb.sh", "packaging/try_deb.sh", "packaging/debian/rules", "packaging/oomadm.spec"),
)
IN_WHEEL = (
    *("oomctl/py.typed", "LICENSE", "oomctl/schemas/process.json"),
    *(f"oomctl/completion/script.{shell}" for shell in ("bash", "zsh", "fish")),
    *(f"share/bash-completion/completions/{name}" for name in ("oomctl", "oomadm")),
    *(f"share/man/man8/{name}.8" for name in ("oomctl", "oomadm", "oomctl-top", "oomctl-forecast", "oomctl-policy")),
    *("lib/systemd/system/oomctl-policy.service", "share/oomctl/policy/server.toml"),
    *(f"lib/systemd/system/oomctl-metrics.{kind}" for kind in ("service", "timer")),
    *("share/oomctl/prometheus/alerts.yml", "share/oomctl/prometheus/dashboard.json"),
    *(f"share/oomctl/kubernetes/{name}" for name in ("README.md", "kustomization.yaml", "policy.toml")),
    *("share/oomctl/monitoring/nagios.cfg", "share/oomctl/monitoring/checkmk-oom"),
    *("oomctl/api.py", "share/man/man3/oomctl-api.3"),
    *("share/man/man5/oomctl-json.5", "share/man/man5/oomctl-policy.5", "share/man/man7/oomctl-oom.7"),
    *(f"share/zsh/site-functions/_{name}" for name in ("oomctl", "oomadm")),
    *(f"share/fish/vendor_completions.d/{name}.fish" for name in ("oomctl", "oomadm")),
)

IN_PYZ = (
    *(
        "__main__.py",
        "src/oomctl/__main__.py",
        "src/oomctl/commands/top.py",
        "src/click/core.py",
        "src/rich/console.py",
    ),
    *(f"src/oomctl/completion/script.{shell}" for shell in ("bash", "zsh", "fish")),
    *(f"licenses/{package}.txt" for package in ("oomctl", "click", "rich", "tomli")),
)
LARGEST_PYZ = 2_000_000


def wrong_in_wheel(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
    wrong = [
        name for name in names if not re.match(r"oomctl/|[^/]+\.dist-info/|[^/]+\.data/data/(share|lib/systemd)/", name)
    ]
    return wrong + [f"no {name}" for name in IN_WHEEL if not any(found.endswith(name) for found in names)]


def wrong_in_sdist(path: Path) -> list[str]:
    with tarfile.open(path) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    junk = [name for name in names if "__pycache__" in name or "_cache/" in name or name.startswith(".venv")]
    return junk + [f"no {name}" for name in IN_SDIST if name not in names]


def wrong_in_pyz(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    allowed = (
        r"__main__\.py|licenses/\w+\.txt|src/(oomctl|click|rich|tomli)/.+\.(py|bash|zsh|fish)|cpython-3\d+/.+\.pyc"
    )
    wrong = [name for name in names if not re.fullmatch(allowed, name) or "/tui/app" in name]
    size = path.stat().st_size
    if size >= LARGEST_PYZ:
        wrong.append(f"{path.name} has {size} bytes")
    return wrong + [f"no {name}" for name in IN_PYZ if name not in names]


def main(paths: list[str]) -> None:
    wheels = [path for path in paths if path.endswith(".whl")]
    sdists = [path for path in paths if path.endswith(".tar.gz")]
    if len(wheels) != 1 or len(sdists) != 1:
        sys.exit(f"expected one wheel and one sdist, got {paths}")
    wrong = wrong_in_wheel(Path(wheels[0])) + wrong_in_sdist(Path(sdists[0]))
    for path in paths:
        if path.endswith(".pyz"):
            wrong += wrong_in_pyz(Path(path))
    if wrong:
        sys.exit("the packages are wrong: " + ", ".join(wrong))


if __name__ == "__main__":
    main(sys.argv[1:])
