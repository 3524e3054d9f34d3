"""How one joins a Dask scheduler: encrypted and known by certificates beyond this machine, and without noise.

What Dask has to say it would say in its own words, on its own handlers; what matters of it is said by us.
"""

from __future__ import annotations

import logging
import ssl

import dask

dask.config.set(
    {
        "distributed.logging": {"distributed": "critical", "distributed.client": "critical"},
        # what is held is in memory alone: results and what they were made of are never written to a disk
        "distributed.worker.memory.target": False,
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.terminate": False,
        "distributed.worker.profile.enabled": False,
        "distributed.scheduler.work-stealing": True,
    }
)

from distributed import Security  # noqa: E402 - it reads its settings when it is imported
from distributed.comm.core import connect  # noqa: E402

from pegel.plan import ScaleSettings  # noqa: E402

for _name in ("distributed", "distributed.client", "distributed.worker", "tornado.application"):
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)

HAND = "pegel-hand"
"""A resource that only our workers have: a share goes to no other one."""

_PATIENCE = 5.0
"""Seconds until a scheduler has answered."""


def security(settings: ScaleSettings) -> Security | None:
    """What proves who we are; nothing on this machine alone."""
    if settings.ca_file is None:
        return None
    files = {"cert": str(settings.cert_file), "key": str(settings.key_file)}
    of_each = {f"tls_{role}_{name}": file for role in ("client", "worker", "scheduler") for name, file in files.items()}
    return Security(require_encryption=True, tls_ca_file=str(settings.ca_file), **of_each)


async def knock(settings: ScaleSettings, role: str) -> str:
    """Whether a scheduler answers; why not, as a sentence that says what to do, empty if one does."""
    try:
        proof = security(settings)
        arguments = proof.get_connection_args(role) if proof is not None else {}
        comm = await connect(settings.scheduler, timeout=_PATIENCE, **arguments)
    except (OSError, ValueError) as error:
        return f"the scheduler {settings.scheduler} cannot be reached: {_reason(settings, error)}"
    await comm.close()
    return ""


def _reason(settings: ScaleSettings, error: BaseException) -> str:
    """What lies behind an error of a connection, and what to do about it."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    texts = " ".join(map(str, causes))
    if "WRONG_VERSION_NUMBER" in texts or "expected TLS" in texts:
        return "it does not speak TLS there"
    if settings.ca_file is not None and any(isinstance(one, ssl.SSLError) or "SSL" in str(one) for one in causes):
        return (
            "the certificates of both sides must be signed by an authority of ca_file, be good for clients and"
            " servers, and not have expired"
        )
    if any(isinstance(one, ConnectionRefusedError) or "refused" in str(one) for one in causes):
        return "nobody listens there; start one (dask scheduler)"
    if any(isinstance(one, FileNotFoundError | PermissionError) for one in causes):
        return f"a file of certificates cannot be read ({causes[0]})"
    return "it does not answer; is the address right, and is a firewall in between?"
