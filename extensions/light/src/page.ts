//! Runs in the page of a light workspace before the workbench: opens the session at once, and is the workbench's file
//! system for `vscode-remote`, under which the full editor knows the same files. So folder, user data, open editors and
//! unsaved text are the same in both depths. Nothing here may throw at load time: the page would stay empty.

import { FileProvider } from "./provider.ts";
import { Session } from "./session.ts";

const session = new Session(`${location.origin.replace(/^http/, "ws")}/.darter/session`);
const files = new FileProvider(session);
session.onConnected = (again) => files.connected(again);
session.onNotification = (method, params) => {
  if (method === "fs.changed") files.changed(params);
};

addEventListener("online", () => session.hurry());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") session.hurry();
});

(globalThis as any).darterFiles = files;
