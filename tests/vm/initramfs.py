"""The guest's whole file system: this Python, the project's wheel with what it needs, modules, guest scripts.

Three cpio archives one behind another, which the kernel unpacks in turn: the interpreter (built once for each
Python), the kernel's modules (once for each kernel) and the project (each time; it is small).
"""

from __future__ import annotations

import compileall
import hashlib
import importlib.metadata
import importlib.util
import lzma
import os
import py_compile
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.vm.guest import report
from tests.vm.kernels import Kernel, NotHere, cache_directory

PROJECT = Path(__file__).parents[2]
GUEST = Path(__file__).parent / "guest"
GUEST_PACKAGE = GUEST.relative_to(PROJECT)
MODULES = ("virtio_pci", "virtio_blk", "zram", "lzo_rle")
"""The last one is what zram compresses with up to Linux 6.1, where it would ask a modprobe for it."""
SITE = "/site"
"""Where the guest finds the wheel, its dependencies and the guest scripts."""

_PYTHON = Path(os.path.realpath(sys.executable))
_STDLIB = Path(sysconfig.get_path("stdlib"))
_UNCHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH  # times do not survive the archive
_LEFT_OUT = {
    *("test", "tests", "site-packages", "dist-packages", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3"),
    *("pydoc_data", "distutils", "unittest", "__pycache__", "sqlite3", "venv", "xmlrpc", "curses", "dbm", "wsgiref"),
    *("pydoc.py", "turtle.py"),
}


def build(kernel: Kernel) -> Path:
    """Return an initramfs for ``kernel``, made anew only where a part of it changed."""
    parts = (_interpreter(), _modules(kernel), _project())
    digest = hashlib.sha256("".join(part.name for part in parts).encode()).hexdigest()[:16]
    whole = cache_directory() / f"initramfs-{kernel.release.label}-{digest}"
    if not whole.exists():
        for old in cache_directory().glob(f"initramfs-{kernel.release.label}-*"):
            old.unlink()
        write(whole, b"".join(part.read_bytes() for part in parts))
    return whole


def wheel() -> Path:
    """Return the wheel to test: OOMCTL_WHEEL, or one built from this tree."""
    given = os.environ.get("OOMCTL_WHEEL")
    if given:
        return Path(given)
    shipped = [*(PROJECT / "systemd").iterdir(), *(PROJECT / "examples" / "policy").iterdir()]
    sources = [PROJECT / "pyproject.toml", *sorted((PROJECT / "oomctl").rglob("*.py")), *sorted(shipped)]
    directory = cache_directory() / f"wheel-{digest(sources)}"
    if not directory.exists():
        for old in cache_directory().glob("wheel-*"):
            shutil.rmtree(old)
        _build_wheel(directory)
    return next(directory.glob("*.whl"))


def _build_wheel(directory: Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--wheel-dir", str(directory)]
    if importlib.util.find_spec("hatchling") is not None:
        command.append("--no-build-isolation")
    done = subprocess.run([*command, str(PROJECT)], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        shutil.rmtree(directory, ignore_errors=True)
        raise NotHere(f"the wheel cannot be built: {done.stderr.strip()[-500:]}")


def _interpreter() -> Path:
    """The running Python without what no guest imports; the library as byte code only."""
    label = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
    archive = cache_directory() / f"python-{label}-{digest([Path(__file__)], str(_PYTHON))}.cpio"
    if archive.exists():
        return archive
    root = fresh("python")
    library = root / _STDLIB.relative_to("/")
    shutil.copytree(_STDLIB, library, ignore=unneeded, symlinks=False)
    compileall.compile_dir(library, quiet=2, legacy=True, invalidation_mode=_UNCHECKED, stripdir=str(root), workers=1)
    for source in library.rglob("*.py"):
        if source.with_suffix(".pyc").exists():
            source.unlink()
    binaries = [_PYTHON, *_STDLIB.glob("lib-dynload/*.so")]
    for linked in {_PYTHON, *_libraries(binaries)}:
        _copy_binary(linked, root)
    for binary in library.rglob("*.so"):
        _strip(binary)
    return pack(root, archive)


def unneeded(directory: str, names: list[str]) -> set[str]:
    return {
        name
        for name in names
        if name in _LEFT_OUT or name.startswith(("config-", "_test")) or name.endswith((".a", ".exe"))
    }


def _libraries(binaries: Iterable[Path]) -> set[Path]:
    """Shared libraries that ``binaries`` are linked with, and the loader."""
    found: set[Path] = set()
    for binary in binaries:
        listing = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False).stdout
        found |= {Path(path) for path in re.findall(r"(/\S+) \(0x", listing)}
    return found


def _copy_binary(file: Path, root: Path) -> None:
    target = root / file.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, target)
    _strip(target)


def _strip(binary: Path) -> None:
    """Drop debugging symbols where binutils is installed: a smaller archive boots sooner."""
    if shutil.which("strip") is not None:
        binary.chmod(0o755)
        subprocess.run(["strip", "--strip-debug", str(binary)], capture_output=True, check=False)


def _modules(kernel: Kernel) -> Path:
    """The wanted modules with those they depend on, and ``/modules`` with the order to load them in."""
    archive = cache_directory() / f"modules-{kernel.version}-{digest([Path(__file__)])}.cpio"
    if archive.exists():
        return archive
    root = fresh("modules")
    put_modules(root, kernel.modules)
    return pack(root, archive)


def put_modules(root: Path, tree: Path) -> None:
    """Put the wanted ones of ``tree``, lib/modules/VERSION, into ``root``."""
    files = {_module_name(path): path for path in tree.rglob("*.ko*")}
    order: list[str] = []

    def add(name: str) -> None:
        if name in order or name not in files:
            return  # not there: built into this kernel
        image = _module_image(files[name])
        for needed in _depends(image):
            add(needed)
        order.append(name)
        (root / f"{name}.ko").write_bytes(image)

    for name in MODULES:
        add(name)
    (root / "modules").write_text("".join(f"/{name}.ko\n" for name in order))


def _module_name(path: Path) -> str:
    return path.name.split(".")[0].replace("-", "_")


def _module_image(path: Path) -> bytes:
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def _depends(image: bytes) -> list[str]:
    """Names behind ``depends=`` in a module's .modinfo section."""
    match = re.search(rb"\0depends=([^\0]*)\0", image)
    return [name.replace("-", "_") for name in match[1].decode().split(",") if name] if match else []


def _project() -> Path:
    package = wheel()
    dependencies = sorted(dependencies_of(package), key=lambda found: found.name)
    versions = " ".join(f"{found.name}={found.version}" for found in dependencies)
    inputs = [package, Path(__file__), *sorted(GUEST.glob("*.py"))]
    # Its /init names the interpreter, and its byte code is that interpreter's.
    archive = cache_directory() / f"project-{digest(inputs, f'{_PYTHON} {sys.version} {versions}')}.cpio"
    if archive.exists():
        return archive
    for old in cache_directory().glob("project-*.cpio"):
        old.unlink()
    root = fresh("project")
    put_project(root, package, dependencies, f"{_PYTHON} -B")
    compileall.compile_dir(root / SITE.strip("/"), quiet=2, invalidation_mode=_UNCHECKED, stripdir=str(root), workers=1)
    return pack(root, archive)


def put_project(
    root: Path,
    package: Path,
    dependencies: Iterable[importlib.metadata.Distribution],
    interpreter: str,
    port: str = report.PORT,
) -> None:
    """Put the wheel, what it needs and the guest scripts into ``root``, and an /init that ``interpreter`` runs.

    ``port`` is where the guest reports.
    """
    site = root / SITE.strip("/")
    with zipfile.ZipFile(package) as contents:
        contents.extractall(site)
    for dependency in dependencies:
        _copy_distribution(dependency, site)
    for directory in GUEST_PACKAGE.parents[-2::-1]:
        (site / directory).mkdir()
        (site / directory / "__init__.py").touch()
    shutil.copytree(GUEST, site / GUEST_PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    for mount_point in ("dev", "proc", "sys", "tmp", "run"):
        (root / mount_point).mkdir(exist_ok=True)
    init = root / "init"
    init.write_text(
        f"#!{interpreter}\nimport sys\nsys.path.insert(0, {SITE!r})\n"
        f"from tests.vm.guest import boot, report\nreport.PORT = {port!r}\nboot.main()\n"
    )
    init.chmod(0o755)


def dependencies_of(package: Path) -> Iterator[importlib.metadata.Distribution]:
    """What the wheel requires, from the environment that runs the tests."""
    with zipfile.ZipFile(package) as contents:
        metadata = next(name for name in contents.namelist() if name.endswith(".dist-info/METADATA"))
        wanted = _required(re.findall(r"^Requires-Dist: (.*)$", contents.read(metadata).decode(), re.MULTILINE))
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            raise NotHere(f"the wheel needs {name}, which is not installed beside these tests") from None
        wanted |= _required(found.requires or [])
        yield found


def _required(requirements: list[str]) -> set[str]:
    """Names of those that are not optional; none of ours depends on the platform or the version of Python."""
    return {match[0].lower() for line in requirements if ";" not in line and (match := re.match(r"[\w.-]+", line))}


def _copy_distribution(found: importlib.metadata.Distribution, site: Path) -> None:
    for file in found.files or []:
        if ".." in file.parts or "__pycache__" in file.parts or "tests" in file.parts:
            continue
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(str(found.locate_file(file)), target)


def fresh(name: str) -> Path:
    root = cache_directory() / "build" / name
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    return root


def digest(files: Iterable[Path], more: str = "") -> str:
    digest = hashlib.sha256(more.encode())
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def pack(root: Path, archive: Path) -> Path:
    entries = [_entry(path, path.relative_to(root).as_posix()) for path in sorted(root.rglob("*"))]
    data = b"".join(entries) + _header("TRAILER!!!", 0, 0)
    write(archive, data + bytes(-len(data) % 512))
    shutil.rmtree(root)
    return archive


def write(path: Path, data: bytes) -> None:
    """Appear whole or not at all, so that an interrupted build is not mistaken for a result."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(data)
    unfinished.replace(path)


def _entry(path: Path, name: str) -> bytes:
    """One file of a cpio archive in the "newc" format (Documentation/driver-api/early-userspace)."""
    mode = path.lstat().st_mode
    data = path.read_bytes() if stat.S_ISREG(mode) else b""
    if stat.S_ISLNK(mode):
        data = os.readlink(path).encode()
    return _header(name, mode, len(data)) + data + bytes(-len(data) % 4)


def _header(name: str, mode: int, size: int) -> bytes:
    encoded = name.encode() + b"\0"
    # inode, mode, uid, gid, links, mtime, size, device (2), special device (2), length of the name, checksum
    fields = (0, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
    return head + bytes(-len(head) % 4)
