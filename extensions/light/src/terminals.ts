//! Terminals that live in the workspace: a cut, a freeze or a reload of the page takes the view away, never the shell.

import * as vscode from "vscode";
import type { Session } from "./session.ts";

const KEPT = "terminals";
const STILL_THERE = 1_500;
const RESET = "\x1bc";

class Terminal implements vscode.Pseudoterminal {
  private readonly written = new vscode.EventEmitter<string>();
  private readonly closed = new vscode.EventEmitter<number | void>();
  readonly onDidWrite = this.written.event;
  readonly onDidClose = this.closed.event;
  private decoder = new TextDecoder();
  private readonly encoder = new TextEncoder();
  private size: vscode.TerminalDimensions = { columns: 80, rows: 24 };
  number: number | undefined;

  private readonly owner: Terminals;
  private readonly cwd: string;

  constructor(owner: Terminals, cwd: string, number?: number) {
    this.owner = owner;
    this.cwd = cwd;
    this.number = number;
  }

  async open(size: vscode.TerminalDimensions | undefined): Promise<void> {
    if (size) this.size = size;
    if (this.number !== undefined) return this.attach();
    const { columns: cols, rows } = this.size;
    try {
      const { result } = await this.owner.session.request("terminal.open", { cwd: this.cwd, env: {}, cols, rows }, { once: true });
      this.number = result.terminal as number;
      this.owner.opened(this);
    } catch (error) {
      // It stays open, so that the reason can be read.
      this.written.fire(`${(error as Error).message}\r\n`);
    }
  }

  /** Shows a shell that runs already: what it printed last comes again. */
  async attach(): Promise<void> {
    const { columns: cols, rows } = this.size;
    this.decoder = new TextDecoder();
    this.written.fire(RESET);
    this.owner.listen(this);
    try {
      await this.owner.session.request("terminal.attach", { terminal: this.number, cols, rows });
      await this.owner.session.request("terminal.resize", { terminal: this.number, cols, rows });
    } catch {
      this.end(undefined);
    }
  }

  show(output: Uint8Array): void {
    this.written.fire(this.decoder.decode(output, { stream: true }));
  }

  end(code: number | undefined): void {
    this.owner.forget(this);
    this.closed.fire(code);
  }

  handleInput(data: string): void {
    if (this.number !== undefined) this.owner.session.typeIn(this.number, this.encoder.encode(data));
  }

  setDimensions(size: vscode.TerminalDimensions): void {
    this.size = size;
    if (this.number === undefined) return;
    const { columns: cols, rows } = size;
    this.owner.session.request("terminal.resize", { terminal: this.number, cols, rows }).catch(() => {});
  }

  /** The person closed it, or the page goes away: a page that is still there in a moment tells the two apart. */
  close(): void {
    setTimeout(() => {
      this.owner.forget(this);
      if (this.number === undefined) return;
      this.owner.session.request("terminal.close", { terminal: this.number }, { once: true }).catch(() => {});
    }, STILL_THERE);
  }
}

export class Terminals implements vscode.TerminalProfileProvider {
  private readonly living = new Map<number, Terminal>();
  /** What came before we knew whose it is. */
  private readonly early = new Map<number, Uint8Array[]>();
  readonly session: Session;
  private readonly context: vscode.ExtensionContext;
  private readonly folder: vscode.Uri;

  constructor(session: Session, context: vscode.ExtensionContext, folder: vscode.Uri) {
    this.session = session;
    this.context = context;
    this.folder = folder;
  }

  provideTerminalProfile(): vscode.TerminalProfile {
    return new vscode.TerminalProfile(this.fresh());
  }

  private fresh(number?: number): vscode.ExtensionTerminalOptions {
    return { name: "bash", pty: new Terminal(this, this.folder.path, number), iconPath: new vscode.ThemeIcon("terminal-bash") };
  }

  /** A page without a server asks which kind of terminal is meant, each time; there is only this one. */
  commands(): vscode.Disposable[] {
    const open = () => vscode.window.createTerminal(this.fresh()).show();
    const toggle = () =>
      vscode.window.terminals.length === 0 ? open() : vscode.commands.executeCommand("workbench.action.togglePanel");
    return [
      vscode.commands.registerCommand("workbench.action.terminal.new", open),
      vscode.commands.registerCommand("workbench.action.terminal.toggleTerminal", toggle),
    ];
  }

  /** Shows again what this window had open before it was loaded anew. */
  async restore(): Promise<void> {
    const before = this.context.workspaceState.get<number[]>(KEPT, []);
    if (before.length === 0) return;
    const { result } = await this.session.request("terminal.list");
    const there = new Set<number>((result.terminals ?? []).map((one: any) => one.terminal ?? one.id ?? one));
    for (const number of before.filter((one) => there.has(one))) {
      vscode.window.createTerminal(this.fresh(number)).show(true);
    }
    await this.remember();
  }

  listen(terminal: Terminal): void {
    if (terminal.number !== undefined) this.living.set(terminal.number, terminal);
  }

  opened(terminal: Terminal): void {
    const number = terminal.number as number;
    this.living.set(number, terminal);
    for (const output of this.early.get(number) ?? []) terminal.show(output);
    this.early.delete(number);
    void this.remember();
  }

  output(number: number, output: Uint8Array): void {
    const terminal = this.living.get(number);
    if (terminal) terminal.show(output);
    else this.early.set(number, [...(this.early.get(number) ?? []), output]);
  }

  ended(params: any): void {
    this.living.get(params.terminal)?.end(params.code ?? params.exit ?? undefined);
  }

  forget(terminal: Terminal): void {
    if (terminal.number !== undefined) this.living.delete(terminal.number);
    void this.remember();
  }

  connected(again: boolean): void {
    if (again) for (const terminal of [...this.living.values()]) void terminal.attach();
  }

  private async remember(): Promise<void> {
    await this.context.workspaceState.update(KEPT, [...this.living.keys()]);
  }
}
