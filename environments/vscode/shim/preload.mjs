//! Loaded before VS Code's server: makes it listen on the descriptor that the platform made, and lets it wait, with its
//! modules loaded, until the attendant says whose it is. It must do nothing in the processes that the server starts.

import { createRequire, enableCompileCache, flushCompileCache } from "node:module";
import net from "node:net";
import process from "node:process";
import { pathToFileURL } from "node:url";

// Filled at install (warm.mjs), read-only in workspaces. What the person's own programs compile is not ours.
enableCompileCache("/env/vscode/cache");

const descriptor = Number(process.env.DARTER_LISTEN_FD);
const warm = process.env.DARTER_WARM === "1";
const install = process.env.DARTER_INSTALL === "1";
for (const name of ["DARTER_LISTEN_FD", "DARTER_WARM", "LISTEN_FDS"]) delete process.env[name];

/** One line of JSON: `{"variables","cwd"}`. */
async function told() {
  let text = "";
  for await (const piece of process.stdin.setEncoding("utf8")) {
    text += piece;
    if (text.includes("\n")) break;
  }
  process.stdin.destroy();
  if (!text.includes("\n")) process.exit(0);
  const { variables, cwd } = JSON.parse(text.slice(0, text.indexOf("\n")));
  for (const name of Object.keys(process.env)) {
    if (!(name in variables)) delete process.env[name];
  }
  Object.assign(process.env, variables);
  for (const name of ["DARTER_LISTEN_FD", "DARTER_WARM", "LISTEN_FDS"]) delete process.env[name];
  process.chdir(cwd);
}

/** Evaluates what the server otherwise does when it is first asked: two thirds of the time until its first answer. */
async function ahead() {
  try {
    const { loadCodeWithNls } = await import(pathToFileURL(process.argv[1]));
    await loadCodeWithNls();
    const require = createRequire(pathToFileURL(process.argv[1]));
    for (const name of ["@vscode/deviceid", "@vscode/spdlog"]) require(name);
  } catch (error) {
    console.error("not loaded ahead:", error);
  }
}

if (Number.isInteger(descriptor)) {
  // An import of `http` reads all its names, and Node loads a WebSocket client of its own for three of them: a tenth of the
  // server's start. The server has another one, and its extensions run in processes of their own.
  const http = createRequire(import.meta.url)("node:http");
  for (const name of ["WebSocket", "CloseEvent", "MessageEvent"]) delete http[name];
  const listen = net.Server.prototype.listen;
  net.Server.prototype.listen = function (options, ...rest) {
    // Only the server's own address; what extensions listen on is theirs.
    if (typeof options?.path !== "string") return listen.call(this, options, ...rest);
    net.Server.prototype.listen = listen;
    const begin = () => {
      listen.call(this, { fd: descriptor }, ...rest);
      // What `address()` tells of a pipe.
      this._pipeName = options.path;
    };
    if (warm) ahead().then(told).then(begin);
    else begin();
    return this;
  };
}

// At install every process of VS Code runs once, so that what it compiled is kept (see warm.mjs).
if (install) {
  setTimeout(() => process.exit(0), Number(process.env.DARTER_INSTALL_MS ?? 2500)).unref();
  process.on("exit", () => flushCompileCache());
}
