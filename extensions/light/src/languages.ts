//! Notices when a file is opened that a language server of the environment is for, and only then loads what speaks with
//! it (language/, a file of its own): a page that opens no such file never pays for it.

import * as vscode from "vscode";
import type { Server, Servers } from "./language/servers.ts";
import type { Programs } from "./programs.ts";
import type { Session } from "./session.ts";

export class Languages implements vscode.Disposable {
  private known: Promise<Server[]> | undefined;
  private servers: Promise<Servers> | undefined;
  private readonly listener: vscode.Disposable;
  private readonly session: Session;
  private readonly programs: Programs;
  private readonly folder: vscode.Uri;
  private readonly place: vscode.Uri;

  constructor(session: Session, programs: Programs, folder: vscode.Uri, place: vscode.Uri) {
    this.session = session;
    this.programs = programs;
    this.folder = folder;
    this.place = place;
    this.listener = vscode.workspace.onDidOpenTextDocument((document) => this.opened(document));
    vscode.workspace.textDocuments.forEach((document) => this.opened(document));
  }

  dispose(): void {
    this.listener.dispose();
    void this.servers?.then((servers) => servers.dispose());
  }

  private opened(document: vscode.TextDocument): void {
    if (document.uri.scheme !== this.folder.scheme) return;
    this.begin(document).catch((error: Error) => {
      // The next file that is opened tries again.
      this.known = undefined;
      this.servers = undefined;
      console.error(`language servers: ${error.message}`);
    });
  }

  private async begin(document: vscode.TextDocument): Promise<void> {
    this.known ??= this.session.request("language.list").then(({ result }) => result.servers);
    for (const server of await this.known) {
      if (!vscode.languages.match(selector(server, this.folder.scheme), document)) continue;
      this.servers ??= this.load();
      (await this.servers).begin({ ...server, selector: selector(server, this.folder.scheme) });
    }
  }

  private async load(): Promise<Servers> {
    const answer = await fetch(vscode.Uri.joinPath(this.place, "language.js").toString(true));
    if (!answer.ok) throw new Error(`language.js: ${answer.status}`);
    // As VS Code loads the extension itself: what runs here may import nothing by its address.
    const module = { exports: {} as { Servers: typeof Servers } };
    new Function("module", "exports", "require", await answer.text())(module, module.exports, () => vscode);
    return new module.exports.Servers(this.session, this.programs, this.folder);
  }
}

function selector(server: Server, scheme: string): vscode.DocumentFilter[] {
  const ids = server.languages.map((language) => ({ scheme, language }));
  return [...ids, ...server.files.map((end) => ({ scheme, pattern: `**/*${end}` }))];
}
