"""What a running runner says over HTTP about the pages that it serves: who has fetched them, and when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException

from pegel.cli.health import PATH
from pegel.errors import Retryable
from pegel.listening import Endpoint

_TIMEOUT = 5.0

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read from a configuration, not listened at


def fetched(endpoint: Endpoint) -> Mapping[str, float | None]:
    """When each page of the runner behind an address was fetched last, by address and path.

    The page itself is left alone: a counter that is new begins with 0 for whoever fetches it first, and that
    has to be Prometheus.

    Raises:
        Retryable: Whoever listens there does not say so.
    """
    address = endpoint.address
    host = _ANYWHERE.get(address.host, address.host)
    headers = {} if endpoint.token is None else {"Authorization": f"Bearer {endpoint.token.reveal()}"}
    connection = HTTPConnection(host, address.port, timeout=_TIMEOUT)
    try:
        connection.request("GET", PATH, headers=headers)
        answer = connection.getresponse()
        found = json.loads(answer.read())["fetched"]
    except (OSError, HTTPException) as error:
        raise Retryable(f"it does not answer ({error})") from error
    except (ValueError, TypeError, KeyError) as error:
        raise Retryable(f"its answer to {PATH} ({answer.status}) is not that of a runner") from error
    finally:
        connection.close()
    return {str(place): None if when is None else float(when) for place, when in found.items()}
