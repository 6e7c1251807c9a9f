"""What systemd wants to know of a service: that it is ready, that it stops."""

import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """Tell the service manager a state such as "READY=1"; does nothing where there is none.

    The protocol is that of sd_notify(3): a datagram to the socket that NOTIFY_SOCKET names, of
    which an "@" at the start stands for the abstract namespace.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode(), address)
