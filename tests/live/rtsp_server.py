#!/usr/bin/python3
"""A real RTSP server for tests: GStreamer's. Debian's own Python runs it, as a process of its own.

    rtsp_server.py '{"port": 0, "mounts": {"/cam": {"launch": "( videotestsrc ! ... )"}}}'

It prints `{"port": 12345}` when it listens. Then it takes commands, one JSON object a line:

    {"mount": "/cam", "launch": "..."}   another pipeline for the clients that come from now on
    {"resize": [160, 120]}               a new size in mid-stream (the capsfilter named `size`)
    {"close": true}                      close the connections of all clients

and ends when its input does. "user" and "password" ask for basic authentication; a mount with
"record": true takes a stream (RECORD) instead of giving one.
"""

import json
import sys
import threading
from typing import Any

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import (  # type: ignore[import-not-found]  # noqa: E402
    GLib,
    Gst,
    GstRtsp,
    GstRtspServer,
)

ROLE = "viewer"


class Server:
    def __init__(self, config: dict[str, Any]) -> None:
        self.server = GstRtspServer.RTSPServer.new()
        self.server.set_address("127.0.0.1")
        self.server.set_service(str(config.get("port", 0)))
        self.needs_password = "password" in config
        if self.needs_password:
            self._ask_for(config["user"], config["password"])
        self.sizes: list[Any] = []
        for path, mount in config["mounts"].items():
            self.mount(path, mount["launch"], record=mount.get("record", False))
        if not self.server.attach(None):
            raise SystemExit("the port is taken")
        print(json.dumps({"port": self.server.get_bound_port()}), flush=True)

    def _ask_for(self, user: str, password: str) -> None:
        auth = GstRtspServer.RTSPAuth.new()
        token = GstRtspServer.RTSPToken.new()
        token.set_string("media.factory.role", ROLE)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        self.server.set_auth(auth)

    def mount(self, path: str, launch: str, *, record: bool = False) -> None:
        factory = GstRtspServer.RTSPMediaFactory.new()
        factory.set_launch(launch)
        factory.set_shared(True)
        factory.set_latency(0)
        factory.set_protocols(GstRtsp.RTSPLowerTrans.TCP | GstRtsp.RTSPLowerTrans.UDP)
        if record:
            factory.set_transport_mode(GstRtspServer.RTSPTransportMode.RECORD)
        if self.needs_password:
            permissions = GstRtspServer.RTSPPermissions.new()
            permissions.add_role(ROLE)
            permissions.add_permission_for_role(ROLE, "media.factory.access", True)
            permissions.add_permission_for_role(ROLE, "media.factory.construct", True)
            factory.set_permissions(permissions)
        factory.connect("media-constructed", self._on_media)
        self.server.get_mount_points().add_factory(path, factory)

    def _on_media(self, factory: Any, media: Any) -> None:
        size = media.get_element().get_by_name("size")
        if size is not None:
            self.sizes.append(size)

    def obey(self, command: dict[str, Any]) -> bool:
        if "mount" in command:
            self.mount(command["mount"], command["launch"])
        if "resize" in command:
            width, height = command["resize"]
            for size in self.sizes:
                caps = f"video/x-raw,width={width},height={height}"
                size.set_property("caps", Gst.Caps.from_string(caps))
        if "close" in command:
            self.server.client_filter(lambda *_: GstRtspServer.RTSPFilterResult.REMOVE)
        return False


def main() -> None:
    Gst.init(None)
    loop = GLib.MainLoop()
    server = Server(json.loads(sys.argv[1]))

    def read_commands() -> None:
        for line in sys.stdin:
            GLib.idle_add(server.obey, json.loads(line))
        GLib.idle_add(loop.quit)

    threading.Thread(target=read_commands, daemon=True).start()
    loop.run()


if __name__ == "__main__":
    main()
