//! The web extension of light workspaces: terminals, search, git and language servers over the session. Files are the
//! page's (page.ts).
//! It must leave alone what a full editor does: it is only ever listed in light pages.

import * as vscode from "vscode";
import { Git } from "./git.ts";
import { Languages } from "./languages.ts";
import { Programs } from "./programs.ts";
import { FileSearch, TextSearch } from "./search.ts";
import { Session } from "./session.ts";
import { Terminals } from "./terminals.ts";

const SCHEME = "vscode-remote";

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  if (folder?.scheme !== SCHEME) return;
  const session = new Session(`${origin().replace(/^http/, "ws")}/.darter/session`);
  const terminals = new Terminals(session, context, folder);
  const programs = new Programs(session);
  const text = new TextSearch(session);
  const git = new Git(programs, folder);
  session.onTerminal = (terminal, output) => terminals.output(terminal, output);
  session.onProgram = (program, stream, output) => programs.output(program, stream, output);
  session.onConnected = (again) => terminals.connected(again);
  session.onLost = () => programs.lost();
  session.onNotification = (method, params) => {
    if (method === "terminal.exit") terminals.ended(params);
    else if (method === "program.exit") programs.ended(params);
    else if (method === "search.match") text.matched(params);
  };
  context.subscriptions.push(
    vscode.window.registerTerminalProfileProvider("darter.terminal", terminals),
    (vscode.workspace as any).registerTextSearchProvider2(SCHEME, text),
    (vscode.workspace as any).registerFileSearchProvider2(SCHEME, new FileSearch(session)),
    ...terminals.commands(),
    git,
  );
  await Promise.all([terminals.restore(), git.start()]);
  context.subscriptions.push(new Languages(session, programs, folder, context.extensionUri));
}

/** Workers are made from blobs; their address is not the page's, but their origin is. */
function origin(): string {
  return (globalThis as any).origin ?? (globalThis as any).location.origin;
}
