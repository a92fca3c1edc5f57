"""What a command does before its server runs: listen, and say what is not installed."""

from __future__ import annotations

import socket

from classify.errors import ClassifierError


def listening(host: str, port: int) -> socket.socket:
    """Return a listening socket, before anything is loaded, which takes seconds.

    Parameters
    ----------
    host : str
        Address of a network interface of this computer.
    port : int
        0 is a free one.

    Raises
    ------
    ClassifierError
        If the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        raise ClassifierError(
            f"cannot listen on {host}, port {port}: {getattr(error, 'strerror', None) or error}; "
            "choose another address, or port 0 for a free one",
            setting="port",
        ) from error


def missing_extra(error: ImportError) -> ClassifierError:
    """Return the error that says how to install what a server needs."""
    return ClassifierError(
        f"the server needs an extra that is not installed ({error.name}); "
        "pip install 'frozen-features[serve]', or in a checkout pip install '.[serve]'"
    )
