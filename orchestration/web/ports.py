"""The port on which something is served on this machine: as it is typed, and when it is taken.

Belongs here: what all servers say of a port. Does not belong here: what is served.
"""

from __future__ import annotations

import argparse


def port_of(text: str) -> int:
    """A port of this machine, as it is typed; 0 is any that is free."""
    if not (text.isascii() and text.isdecimal() and int(text) < 2**16):
        raise argparse.ArgumentTypeError("is no number from 0 to 65535")
    return int(text)


def about_port(port: int, why: str) -> str:
    """What a person is told of a port that cannot be listened on."""
    return (
        f"Port {port} cannot be used: {why}. Nothing was started. Stop what uses it, or choose another with "
        "PORT=... (--port)."
    )
