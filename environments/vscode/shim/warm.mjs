//! Runs every process of VS Code once, at install, so that V8's compiled code of each is kept in the environment.
//! What it starts must have the flags and the paths of the real ones: V8 refuses code compiled under others.

import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "node:http";

const VSCODE = "/env/vscode/vscode";
const flags = ["--max-semi-space-size=1", "--optimize-for-size", "--import", "/env/vscode/shim/preload.mjs"];
const data = mkdtempSync(join(tmpdir(), "warm-"));
const env = { ...process.env, HOME: data, DARTER_INSTALL: "1" };

const ask = (socketPath, path) =>
  new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, headers: { host: "warm" } }, (answer) => {
      answer.resume();
      answer.on("end", resolve);
    });
    sent.on("error", reject);
    sent.end();
  });

async function server() {
  const socket = join(data, "s");
  const child = spawn(
    process.execPath,
    [
      ...flags,
      `${VSCODE}/out/server-main.js`,
      "--without-connection-token",
      "--accept-server-license-terms",
      "--telemetry-level=off",
      `--server-data-dir=${data}`,
      `--socket-path=${socket}`,
    ],
    { env: { ...env, DARTER_INSTALL_MS: "8000" }, stdio: ["ignore", "pipe", "inherit"] },
  );
  const ready = new Promise((resolve) => {
    child.stdout.setEncoding("utf8").on("data", (text) => text.includes("agent started") && resolve());
    child.on("exit", resolve);
  });
  await ready;
  // The page of an old client touches what the first request of a new one does.
  for (const path of ["/version", "/", "/version"]) await ask(socket, path);
  if (child.exitCode === null) await once(child, "exit");
}

async function other(entry, type) {
  const more = { VSCODE_ESM_ENTRYPOINT: entry, VSCODE_PARENT_PID: String(process.pid) };
  const options = { env: { ...env, ...more }, execArgv: flags, silent: true };
  const child = fork(`${VSCODE}/out/bootstrap-fork.js`, [`--type=${type}`], options);
  child.stdout.resume();
  child.stderr.resume();
  if (child.exitCode === null) await once(child, "exit");
}

mkdirSync("/env/vscode/cache", { recursive: true });
await server();
console.log("compiled the server");
for (const [entry, type] of [
  ["vs/platform/terminal/node/ptyHostMain", "ptyHost"],
  ["vs/platform/files/node/watcher/watcherMain", "fileWatcher"],
  ["vs/workbench/api/node/extensionHostProcess", "extensionHost"],
]) {
  await other(entry, type);
  console.log(`compiled ${entry}`);
}
rmSync(data, { recursive: true, force: true });
