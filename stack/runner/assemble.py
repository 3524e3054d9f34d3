"""Collects what the image needs to run: `python assemble.py TARGET PREFIX`, in the build stage.

The image is made of the interpreter, its standard library, the environment in PREFIX, and the shared libraries
that these are linked to, found by asking the loader. There is no shell, no package manager and no compiler in
it; what is not there cannot be used against anybody, nor needs an update.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LEFT_OUT = ("test", "tests", "idlelib", "ensurepip", "tkinter", "turtledemo", "lib2to3", "pydoc_data", "__pycache__")
"""Parts of the standard library that a service never imports."""

DATA = ("/etc/ssl/certs/ca-certificates.crt", "/etc/ld.so.cache", "/etc/os-release")
LOADED_BY_NAME = re.compile(r"lib(gcc_s|nss_(files|dns)|resolv)\.so\.\d+$")
"""Libraries that the C library opens by name when they are needed."""

ACCOUNT = 10001
ACCOUNTS = {
    "/etc/passwd": f"root:x:0:0::/:/none\npegel:x:{ACCOUNT}:{ACCOUNT}:Pegel:/var/lib/pegel:/none\n",
    "/etc/group": f"root:x:0:\npegel:x:{ACCOUNT}:\n",
    "/etc/nsswitch.conf": "hosts: files dns\n",
}


def main(target: Path, prefix: Path) -> None:
    """Fill `target`, the root of the image."""
    interpreter = Path(sys.executable).resolve()
    library = Path(os.__file__).parent
    _copy_tree(library, target, *LEFT_OUT, "site-packages", "*.a", "config-*")
    _copy_tree(prefix, target, "tests", "__pycache__", "*.pyi")
    _only_commands(_in(target, prefix) / "bin", interpreter)
    _copy(interpreter, target)
    compiled = [*_in(target, library).rglob("*.so*"), *_in(target, prefix).rglob("*.so*")]
    for shared in sorted({one for file in (interpreter, *compiled) for one in _linked(file, target)}):
        _copy(shared, target)
    for name in DATA:
        if Path(name).exists():
            _copy(Path(name), target)
    _write_accounts(target)
    # the image is read-only: what is not compiled now is compiled at every start
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for place in (library, prefix):
        compileall.compile_dir(_in(target, place), stripdir=str(target), invalidation_mode=mode, quiet=1, workers=0)


def _only_commands(binaries: Path, interpreter: Path) -> None:
    """Leave `pegel` and the interpreter: no scripts for shells, no commands of libraries."""
    for file in binaries.iterdir():
        if file.name != "pegel":
            file.unlink()
    (binaries / "python").symlink_to(interpreter)


def _write_accounts(target: Path) -> None:
    """A user of our own with a fixed number, and the directories that are mounted over."""
    for name, text in ACCOUNTS.items():
        _in(target, Path(name)).parent.mkdir(parents=True, exist_ok=True)
        _in(target, Path(name)).write_text(text)
    for name, mode in (("/tmp", 0o1777), ("/var/lib/pegel", 0o700), ("/etc/pegel", 0o755)):
        place = _in(target, Path(name))
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(mode)
    os.chown(_in(target, Path("/var/lib/pegel")), ACCOUNT, ACCOUNT)


def _linked(file: Path, target: Path) -> Iterator[Path]:
    """The shared libraries that a file is linked to, as the loader finds them, without those that it brings itself."""
    found = subprocess.run(["ldd", str(file)], capture_output=True, text=True, check=False).stdout
    for line in found.splitlines():
        match = re.search(r"(?:=> )?(/\S+) \(0x", line)
        if match and not match[1].startswith(str(target)):
            yield Path(match[1])
    for directory in {one.parent for one in map(Path, re.findall(r"(/\S+)/libc\.so\.6", found))}:
        yield from (one for one in directory.iterdir() if LOADED_BY_NAME.search(one.name))


def _in(target: Path, path: Path) -> Path:
    return target / path.relative_to("/")


def _copy_tree(directory: Path, target: Path, *left_out: str) -> None:
    ignore = shutil.ignore_patterns(*left_out)
    shutil.copytree(directory, _in(target, directory), symlinks=True, dirs_exist_ok=True, ignore=ignore)


def _copy(file: Path, target: Path) -> None:
    """Copy a file under its own name, links followed: where a directory is a link, the image has that link too."""
    place = _in(target, file.parent.resolve() / file.name)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, place)
    for directory in file.parents:
        link = _in(target, directory)
        if directory.is_symlink() and not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(directory.readlink())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
