"""`[scale]`: workers on other machines."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from functools import partial
from urllib.parse import urlsplit

from pegel.config.document import Node
from pegel.config.endpoints import Endpoint
from pegel.config.options import build
from pegel.config.problems import Problem
from pegel.plan import Plan, ScaleSettings

_FILES = ("ca_file", "cert_file", "key_file")

_PATIENCE = 5.0
"""Seconds until a scheduler has answered."""


def scale_settings(node: Node | None, problems: list[Problem]) -> ScaleSettings | None:
    """The settings; None where there are none, or they are wrong."""
    if node is None:
        return None
    settings = build(ScaleSettings, node, problems)
    for name in _FILES if settings else ():
        file = getattr(settings, name)
        if file is not None and not os.access(file, os.R_OK):
            problems.append(node.table[name].problem("cannot be read; is the path right, and may this user read it?"))
    return settings


def idle_scale(plan: Plan, node: Node | None) -> Iterator[Problem]:
    """Warnings for what workers will not read."""
    if node is None:
        return
    for source in plan.sources:
        if source.source.shared and any(enricher.slow for enricher in source.enrichers):
            yield node.problem(
                f"source {source.name} is read by the runner alone: one of its enrichers asks others (whois)"
            )
    if not any(source.source.shared for source in plan.sources):
        yield node.problem("there is no source with objects (type s3), so workers have nothing to read")


def scheduler(settings: ScaleSettings | None, node: Node | None) -> list[Endpoint]:
    """The scheduler, to be tried by who wants to know."""
    return [Endpoint("scheduler", partial(knock, settings), node)] if settings and node else []


def knock(settings: ScaleSettings) -> Sequence[str]:
    """Connect as a worker would, and wait for the first byte: what is wrong, as sentences."""
    address = urlsplit(settings.scheduler)
    try:
        with socket.create_connection((address.hostname or "", address.port or 0), _PATIENCE) as plain:
            if settings.ca_file is None:
                plain.recv(1)
                return ()
            context = ssl.create_default_context(cafile=str(settings.ca_file))
            context.check_hostname = False  # as Dask does: certificates of this authority are for nothing else
            context.load_cert_chain(str(settings.cert_file), str(settings.key_file))
            with context.wrap_socket(plain) as encrypted:
                encrypted.recv(1)  # only now has the other side looked at our certificate
    except ssl.SSLError as error:
        sentence = (
            f"{settings.scheduler} and this machine do not trust each other ({error.reason or 'TLS fails'}): both"
            " certificates must be signed by an authority of ca_file, for clients and servers, and not have expired"
        )
        return [sentence]
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return [f"{settings.scheduler} cannot be reached: {reason}; is a scheduler there (dask scheduler)?"]
    return ()
