"""`./dev lock-images`: write the digests of all images into stack/images.yaml, as a registry says them now.

A tag can be moved, a digest cannot. Nothing is written unless every image was found: a wrong digest would make every
later start fail. Needs docker with its plug-in buildx, and a registry that can be reached.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

FILE = Path(__file__).parent / "images.yaml"

_IMAGE = re.compile(r"^(?P<key> +image: )(?P<name>[a-z0-9./_-]+:[\w.-]+)(?:@sha256:[0-9a-f]{64})?$", re.MULTILINE)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

OURS = "pegel"
"""Built from the checkout: no registry has it."""


class Unresolved(Exception):
    """An image whose digest cannot be found out; says why."""


def locked(text: str, resolve: Callable[[str], str]) -> str:
    """The file with the digest behind each tag.

    Raises:
        Unresolved: One was not found.
    """

    def with_digest(match: re.Match[str]) -> str:
        name = match["name"]
        return match[0] if name.startswith(f"{OURS}:") else f"{match['key']}{name}@{resolve(name)}"

    return _IMAGE.sub(with_digest, text)


def ask_registry(name: str) -> str:
    """The digest that the registry has for a tag now; for all platforms together.

    Raises:
        Unresolved: It does not say.
    """
    command = ["docker", "buildx", "imagetools", "inspect", name, "--format", "{{.Manifest.Digest}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except FileNotFoundError:
        raise Unresolved("docker is not installed") from None
    except subprocess.TimeoutExpired:
        raise Unresolved(f"{name}: the registry did not answer within a minute") from None
    digest = done.stdout.strip()
    if done.returncode or not _DIGEST.fullmatch(digest):
        raise Unresolved(f"{name}: {(done.stderr or done.stdout).strip()[:300] or 'no digest'}")
    return digest


def main(resolve: Callable[[str], str] = ask_registry, file: Path = FILE) -> int:
    """Lock the file; returns the exit code."""
    text = file.read_text()
    try:
        after = locked(text, resolve)
    except Unresolved as error:
        sys.stderr.write(f"{file.name} is left as it was: {error}\n")
        return 1
    if after != text:
        file.write_text(after)
    sys.stdout.write(f"{file.name}: {len(_DIGEST.findall(after))} digests\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
