"""The rule for addresses: no part of the local stack listens beyond this machine."""

import argparse
import ipaddress


def loopback_address(text: str) -> str:
    """Return `text` when `text` is a loopback address; an argparse type for `--host`.

    Raises argparse.ArgumentTypeError for any other text, names included. A name's address can
    change, and the stand-ins give tokens and secrets to any client.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        message = f"{text!r} is not an IP address; the local stack listens on 127.0.0.1 only"
        raise argparse.ArgumentTypeError(message) from None
    if not address.is_loopback:
        message = f"{text} is reachable from outside; the local stack listens on 127.0.0.1 only"
        raise argparse.ArgumentTypeError(message)
    return text
