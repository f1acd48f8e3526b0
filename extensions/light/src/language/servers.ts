//! All language servers of a page. Loaded when the first is needed.

import * as vscode from "vscode";
import type { Programs } from "../programs.ts";
import type { Session } from "../session.ts";
import { Supervisor } from "./server.ts";

/** As the attendant tells of it. */
export interface Server {
  name: string;
  title: string;
  languages: string[];
  files: string[];
  initialization: Record<string, unknown>;
  selector: vscode.DocumentFilter[];
}

export class Servers implements vscode.Disposable {
  private readonly running = new Map<string, Supervisor>();
  private readonly own: vscode.Disposable[];
  private readonly session: Session;
  private readonly programs: Programs;
  private readonly folder: vscode.Uri;

  constructor(session: Session, programs: Programs, folder: vscode.Uri) {
    this.session = session;
    this.programs = programs;
    this.folder = folder;
    this.own = [
      vscode.commands.registerCommand("darter.languages.restart", () => this.shown().forEach((one) => one.restart())),
      vscode.commands.registerCommand("darter.languages.output", () => this.shown()[0]?.output()),
      vscode.window.onDidChangeActiveTextEditor((editor) => {
        for (const one of this.running.values()) one.look();
        this.used(editor?.document);
      }),
      vscode.workspace.onDidChangeTextDocument(({ document }) => this.used(document)),
    ];
    void vscode.commands.executeCommand("setContext", "darter.languages", true);
  }

  begin(server: Server): void {
    if (this.running.has(server.name)) return;
    const channel = vscode.window.createOutputChannel(server.title, { log: true });
    const { session, programs, folder } = this;
    this.running.set(server.name, new Supervisor(server, { session, programs, folder, channel }));
  }

  dispose(): void {
    for (const one of [...this.own, ...this.running.values()]) one.dispose();
  }

  private used(document: vscode.TextDocument | undefined): void {
    for (const one of this.running.values()) if (one.isFor(document)) one.used();
  }

  /** Those of the file that is looked at; all of them when it has none. */
  private shown(): Supervisor[] {
    const all = [...this.running.values()];
    const here = all.filter((one) => one.isFor(vscode.window.activeTextEditor?.document));
    return here.length ? here : all;
  }
}
