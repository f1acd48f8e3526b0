"""Starts JupyterLab on the socket that the platform made, at once or when told whose it is.

It may be started before that is known: then it has everything imported, no thread, no event loop, and waits for one line
of JSON (`{"variables", "cwd"}`) on its standard input. It must never listen anywhere by itself.
"""

import json
import os
import socket
import sys

descriptor = int(os.environ.pop("DARTER_LISTEN_FD", "5"))
warm = os.environ.pop("DARTER_WARM", "") == "1"
os.environ.pop("LISTEN_FDS", None)

import jupyter_server.serverapp  # noqa: E402
from jupyterlab.labapp import LabApp  # noqa: E402

AHEAD = [
    "jupyter_client.ioloop",
    "jupyter_server.services.contents.handlers",
    "jupyter_server.services.kernels.handlers",
    "jupyter_server.services.sessions.handlers",
    "jupyter_server_fileid.extension",
    "jupyter_server_terminals.app",
    "jupyter_server_ydoc.app",
    "jupyterlab_server.handlers",
    "notebook_shim",
]


def wait() -> None:
    """Imports what a start imports, then waits to be told."""
    import importlib

    for name in AHEAD:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"not imported ahead: {error}", file=sys.stderr)
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    told = json.loads(line)
    os.environ.clear()
    os.environ.update(told["variables"])
    for name in ("DARTER_LISTEN_FD", "DARTER_WARM", "LISTEN_FDS"):
        os.environ.pop(name, None)
    os.chdir(told["cwd"])
    import random

    random.seed()


def bind(server: jupyter_server.serverapp.ServerApp) -> bool:
    """In place of binding a port."""
    listening = socket.socket(fileno=descriptor)
    listening.setblocking(False)
    server.http_server.add_socket(listening)
    print("JupyterLab answers", flush=True)
    return True


def words() -> list[str]:
    """What the platform decides, as words of a command line: they count more than the person's own files in ~/.jupyter.
    Nobody else sees them."""
    decided = {
        "ServerApp.root_dir": os.environ.get("HOME", "/home/user"),
        "ServerApp.open_browser": False,
        "ServerApp.quit_button": False,
        # Its Host is the workspace's; who may come in is the gateway's business.
        "ServerApp.allow_remote_access": True,
        "ServerApp.port_retries": 0,
        # Light on memory, and the language servers are the environment's business.
        "ServerApp.jpserver_extensions": {"jupyter_lsp": False},
        # Known to the gateway, which adds it to every request that it lets in.
        "IdentityProvider.token": os.environ.pop("DARTER_EDITOR_TOKEN", ""),
        "LabApp.news_url": None,
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
        "LabApp.extension_manager": "readonly",
        # Kernels outlive the tab. The owner says how long an idle one does.
        "MappingKernelManager.cull_idle_timeout": os.environ.get("DARTER_KERNEL_IDLE_SECONDS", "3600"),
        "MappingKernelManager.cull_interval": 60,
        "MappingKernelManager.cull_connected": False,
        "MappingKernelManager.cull_busy": False,
    }
    return [f"--{name}={value}" for name, value in decided.items()]


def main() -> None:
    if warm:
        wait()
    jupyter_server.serverapp.ServerApp._bind_http_server = bind
    LabApp.launch_instance(argv=words())


main()
