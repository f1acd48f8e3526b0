//! Git in light workspaces: the repository's own program, run beside the files; states, stages, commits, shows changes.
//! What needs a person's password (push, pull) runs in a terminal, where it can be asked for.

import * as vscode from "vscode";
import type { Programs } from "./programs.ts";
import { type Change, read } from "./status.ts";

const SCHEME = "darter-git";

export class Git implements vscode.Disposable, vscode.TextDocumentContentProvider, vscode.QuickDiffProvider {
  private readonly parts: vscode.Disposable[] = [];
  private control: vscode.SourceControl | undefined;
  private staged: vscode.SourceControlResourceGroup | undefined;
  private changes: vscode.SourceControlResourceGroup | undefined;
  private root = "";
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private readonly programs: Programs;
  private readonly folder: vscode.Uri;

  constructor(programs: Programs, folder: vscode.Uri) {
    this.programs = programs;
    this.folder = folder;
    const commands: Record<string, (...states: any[]) => unknown> = {
      refresh: () => this.refresh(),
      commit: () => this.commit(),
      stage: (...states) => this.onPaths(states, ["add", "-A", "--"]),
      unstage: (...states) => this.onPaths(states, ["reset", "-q", "HEAD", "--"]),
      discard: (...states) => this.discard(states),
      open: (state) => this.show(state),
      pull: () => this.inTerminal("git pull"),
      push: () => this.inTerminal("git push"),
      init: () => this.init(),
    };
    for (const [name, run] of Object.entries(commands)) {
      this.parts.push(vscode.commands.registerCommand(`darter.git.${name}`, run));
    }
    this.parts.push(vscode.workspace.registerTextDocumentContentProvider(SCHEME, this));
  }

  async start(): Promise<void> {
    const found = await this.git(["rev-parse", "--show-toplevel"], this.folder.path).catch(() => undefined);
    const missing = !found || found.code !== 0;
    await vscode.commands.executeCommand("setContext", "darter.git.missing", missing);
    if (missing) return;
    this.root = new TextDecoder().decode(found.stdout).trim();
    const control = vscode.scm.createSourceControl(SCHEME, "Git", this.folder.with({ path: this.root }));
    control.quickDiffProvider = this;
    control.acceptInputCommand = { command: "darter.git.commit", title: "Commit" };
    this.control = control;
    this.staged = control.createResourceGroup("staged", "Staged Changes");
    this.staged.hideWhenEmpty = true;
    this.changes = control.createResourceGroup("changes", "Changes");
    const watcher = vscode.workspace.createFileSystemWatcher(new vscode.RelativePattern(this.folder, "**"));
    for (const event of [watcher.onDidChange, watcher.onDidCreate, watcher.onDidDelete]) event(() => this.soon());
    this.parts.push(control, watcher, vscode.workspace.onDidSaveTextDocument(() => this.soon()));
    await this.refresh();
  }

  private git(args: string[], cwd = this.root) {
    return this.programs.run(["git", ...args], cwd);
  }

  private soon(): void {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => void this.refresh(), 500);
  }

  private async refresh(): Promise<void> {
    if (!this.control || !this.staged || !this.changes) return this.start();
    const { code, stdout } = await this.git(["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all"]);
    if (code !== 0) return;
    const status = read(new TextDecoder().decode(stdout));
    this.staged.resourceStates = status.staged.map((one) => this.state(one, true));
    this.changes.resourceStates = status.changes.map((one) => this.state(one, false));
    this.control.count = status.staged.length + status.changes.length;
    this.control.inputBox.placeholder = `Message (commit on "${status.branch}")`;
    const sync = [status.behind ? `${status.behind}↓` : "", status.ahead ? `${status.ahead}↑` : ""].join(" ").trim();
    this.control.statusBarCommands = [
      { command: "darter.git.refresh", title: `$(git-branch) ${status.branch}${sync && ` ${sync}`}` },
    ];
  }

  private state(change: Change, staged: boolean): vscode.SourceControlResourceState & { letter: string; staged: boolean } {
    const resourceUri = this.folder.with({ path: `${this.root}/${change.path}` });
    const gone = change.letter === "D";
    const state = {
      resourceUri,
      letter: change.letter,
      staged,
      decorations: { strikeThrough: gone, tooltip: change.letter },
      contextValue: change.letter,
    };
    return { ...state, command: { command: "darter.git.open", title: "Open Changes", arguments: [state] } };
  }

  provideOriginalResource(uri: vscode.Uri): vscode.Uri | undefined {
    if (!this.root || !uri.path.startsWith(`${this.root}/`)) return undefined;
    return uri.with({ scheme: SCHEME, query: "" });
  }

  /** The file as it is in the index (`query` empty) or in the last commit (`HEAD`). */
  async provideTextDocumentContent(uri: vscode.Uri): Promise<string> {
    const path = uri.path.slice(this.root.length + 1);
    const { code, stdout } = await this.git(["show", `${uri.query}:${path}`]);
    return code === 0 ? new TextDecoder().decode(stdout) : "";
  }

  private async show(state: { resourceUri: vscode.Uri; letter: string; staged: boolean }): Promise<void> {
    const uri = state.resourceUri;
    if (state.letter === "U" || (state.letter === "A" && !state.staged)) {
      await vscode.commands.executeCommand("vscode.open", uri);
      return;
    }
    const before = uri.with({ scheme: SCHEME, query: state.staged ? "HEAD" : "" });
    const after = state.staged ? uri.with({ scheme: SCHEME, query: "" }) : uri;
    this.changed.fire(before);
    const name = uri.path.slice(uri.path.lastIndexOf("/") + 1);
    await vscode.commands.executeCommand("vscode.diff", before, after, `${name} (${state.staged ? "Index" : "Working Tree"})`);
  }

  private async onPaths(states: any[], args: string[]): Promise<void> {
    const paths = states.flat().filter((one) => one?.resourceUri).map((one) => one.resourceUri.path);
    if (paths.length > 0) this.told(await this.git([...args, ...paths]));
    await this.refresh();
  }

  private async discard(states: any[]): Promise<void> {
    const all = states.flat().filter((one) => one?.resourceUri);
    const question = vscode.l10n.t("Discard the changes of {0} files? They cannot be brought back.", all.length);
    const yes = vscode.l10n.t("Discard");
    if ((await vscode.window.showWarningMessage(question, { modal: true }, yes)) !== yes) return;
    const [fresh, known] = [all.filter((one) => one.letter === "U"), all.filter((one) => one.letter !== "U")];
    for (const one of fresh) await vscode.workspace.fs.delete(one.resourceUri);
    await this.onPaths(known, ["checkout", "-q", "--"]);
  }

  private async commit(): Promise<void> {
    const control = this.control;
    if (!control) return;
    const message = control.inputBox.value.trim();
    if (!message) {
      void vscode.window.showInformationMessage(vscode.l10n.t("Write a message first."));
      return;
    }
    const all = this.staged?.resourceStates.length ? [] : ["--all"];
    const done = await this.git(["commit", "--quiet", ...all, "-m", message]);
    if (this.told(done)) control.inputBox.value = "";
    await this.refresh();
  }

  private async init(): Promise<void> {
    this.told(await this.git(["init", "-q"], this.folder.path));
    await this.start();
  }

  private told({ code, stderr, stdout }: { code: number; stderr: string; stdout: Uint8Array }): boolean {
    if (code !== 0) void vscode.window.showErrorMessage(stderr.trim() || new TextDecoder().decode(stdout).trim());
    return code === 0;
  }

  private async inTerminal(command: string): Promise<void> {
    await vscode.commands.executeCommand("workbench.action.terminal.new");
    vscode.window.activeTerminal?.sendText(command);
  }

  dispose(): void {
    clearTimeout(this.waiting);
    for (const part of this.parts) part.dispose();
  }
}
