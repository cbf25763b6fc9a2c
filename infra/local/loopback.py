"""The one rule about addresses: nothing of the local stack listens beyond this machine."""

import argparse
import ipaddress


def loopback_address(text: str) -> str:
    """Return `text` when it is a loopback address; an argparse type for `--host`.

    Raises argparse.ArgumentTypeError for anything else, a name included: what a name resolves to
    can change, and the stand-ins hand out tokens and secrets to whoever asks.
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
