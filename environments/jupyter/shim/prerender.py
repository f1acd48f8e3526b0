"""Keeps JupyterLab's page and compresses what browsers load, once, at install: the gateway then answers both by itself.

The page is what a new workspace's server answers; nothing in it belongs to anybody. Must never change an installed file.
"""

import gzip
import os
import pathlib
import re
import secrets
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path("/env/jupyter")
FOLDERS = ["python/share/jupyter/lab/static", "python/share/jupyter/labextensions"]
WORTH = {".js", ".css", ".html", ".json", ".svg", ".wasm", ".ttf"}
SMALLEST = 1024


def compress() -> None:
    done = 0
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if not path.is_file() or path.suffix not in WORTH or path.stat().st_size < SMALLEST:
                continue
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
            done += 1
    print(f"compressed {done} files", flush=True)


def ask(address: str, path: str, token: str) -> str:
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(120)
        stream.connect(address)
        head = f"GET {path} HTTP/1.0\r\nHost: localhost\r\nAuthorization: token {token}\r\n\r\n"
        stream.sendall(head.encode())
        answer = b"".join(iter(lambda: stream.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        sys.exit(f"{path}: {head.decode(errors='replace')}")
    return body.decode()


def page() -> None:
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        address = f"{folder}/s"
        listening.bind(address)
        listening.listen()
        os.set_inheritable(listening.fileno(), True)
        home = f"{folder}/home"
        os.mkdir(home)
        known = {"HOME": home, "PATH": os.environ.get("PATH", "/usr/bin:/bin")}
        told = {"DARTER_LISTEN_FD": str(listening.fileno()), "DARTER_EDITOR_TOKEN": token}
        data = {name: f"{folder}/{name.lower()}" for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR")}
        child = subprocess.Popen(
            [sys.executable, str(ROOT / "shim/launch.py")], env={**known, **told, **data}, cwd=folder, close_fds=False
        )
        try:
            html = ask(address, "/lab", token)
        finally:
            child.terminate()
            child.wait()
    # The gateway shows the word on the browser's behalf; the page needs none. It names folders of the home.
    html = html.replace(token, "").replace(home, "/home/user")
    if "jupyter-config-data" not in html or re.search(re.escape(folder), html):
        sys.exit("this is no page that is the same for everybody")
    (ROOT / "page").mkdir(exist_ok=True)
    (ROOT / "page/lab.html").write_text(html)
    print("kept the page", flush=True)


compress()
page()
