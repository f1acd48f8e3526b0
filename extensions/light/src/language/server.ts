//! A language server as a person sees it: starting, ready, asleep, or failed and what to do. Starts it again when it ends
//! by itself, with pauses and not for ever.

import * as vscode from "vscode";
import { type Around, type End, Life } from "./life.ts";
import { Restarts } from "./restarts.ts";
import type { Server } from "./servers.ts";

type State = "starting" | "ready" | "asleep" | "failed";

export class Supervisor implements vscode.Disposable {
  private life: Life | undefined;
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private state: State = "starting";
  private reason = "";
  private readonly restarts = new Restarts();
  private readonly item: vscode.StatusBarItem;
  readonly server: Server;
  private readonly around: Around;

  constructor(server: Server, around: Around) {
    this.server = server;
    this.around = around;
    this.item = vscode.window.createStatusBarItem(`darter.language.${server.name}`, vscode.StatusBarAlignment.Right, 90);
    this.item.name = server.title;
    void this.start();
  }

  dispose(): void {
    clearTimeout(this.waiting);
    const life = this.life;
    this.life = undefined;
    life?.stop();
    this.item.dispose();
    this.around.channel.dispose();
  }

  isFor(document: vscode.TextDocument | undefined): boolean {
    return document !== undefined && vscode.languages.match(this.server.selector, document) > 0;
  }

  /** Somebody looks at a file of its, or writes in one. */
  used(): void {
    if (this.state === "asleep") void this.start();
  }

  restart(): void {
    this.restarts.again();
    clearTimeout(this.waiting);
    const life = this.life;
    this.life = undefined;
    this.show("starting");
    if (!life) return void this.start();
    life.stop();
    void life.ended.then(() => this.start());
  }

  output(): void {
    this.around.channel.show();
  }

  private async start(): Promise<void> {
    if (this.life) return;
    const life = new Life(this.around);
    this.life = life;
    this.show("starting");
    const began = Date.now();
    void life.ended.then((end) => this.ended(life, end, Date.now() - began));
    try {
      await life.begin(this.server);
      if (this.life === life) this.show("ready");
    } catch (error) {
      // One that ended while it started is told of by its end; one that never began has none.
      if (life.began) return life.stop();
      if (this.life !== life) return;
      this.life = undefined;
      this.fail((error as Error).message);
    }
  }

  private ended(life: Life, end: End, lived: number): void {
    if (this.life !== life) return;
    if (end.words) this.around.channel.warn(end.words);
    this.life = undefined;
    if (end.why === "idle") return this.show("asleep");
    // The session comes back by itself, and the question waits for it.
    if (end.why === "lost") return void this.start();
    this.around.channel.warn(words(end));
    const pause = this.restarts.next(lived);
    if (pause === undefined) return this.fail(words(end));
    this.show("starting");
    this.waiting = setTimeout(() => void this.start(), pause);
  }

  private fail(reason: string): void {
    this.reason = reason;
    this.show("failed");
    this.around.channel.error(this.words("failed"));
  }

  private show(state: State): void {
    this.state = state;
    const { title } = this.server;
    const icon = { starting: "loading~spin", ready: "check", asleep: "debug-pause", failed: "error" }[state];
    const tooltip = new vscode.MarkdownString(this.words(state));
    const links = [`[${vscode.l10n.t("Restart")}](command:darter.languages.restart)`];
    links.push(`[${vscode.l10n.t("Show Output")}](command:darter.languages.output)`);
    tooltip.appendMarkdown(`\n\n${links.join(" · ")}`);
    tooltip.isTrusted = { enabledCommands: ["darter.languages.restart", "darter.languages.output"] };
    this.item.text = `$(${icon}) ${title}`;
    this.item.tooltip = tooltip;
    this.item.accessibilityInformation = { label: this.words(state) };
    this.item.command = state === "failed" ? "darter.languages.restart" : "darter.languages.output";
    this.item.backgroundColor = state === "failed" ? new vscode.ThemeColor("statusBarItem.errorBackground") : undefined;
    this.look();
  }

  /** Shown beside a file of its. */
  look(): void {
    if (this.isFor(vscode.window.activeTextEditor?.document)) this.item.show();
    else this.item.hide();
  }

  private words(state: State): string {
    const { title } = this.server;
    switch (state) {
      case "starting":
        return vscode.l10n.t("The {0} language server is starting.", title);
      case "ready":
        return vscode.l10n.t("The {0} language server is ready.", title);
      case "asleep":
        return vscode.l10n.t("The {0} language server was not used for long and has ended. It starts when you write.", title);
      case "failed":
        return vscode.l10n.t("The {0} language server does not run: {1}. Restart it, or read its output.", title, this.reason);
    }
  }
}

function words(end: End): string {
  switch (end.why) {
    case "unread":
      return vscode.l10n.t("it did not read what it was sent");
    case "broken":
      return vscode.l10n.t("it said what is no message");
  }
  // Ended by the kernel when memory runs out.
  if (end.signal === "KILL") return vscode.l10n.t("it was killed; the workspace may need more memory");
  if (end.signal) return vscode.l10n.t("it ended with signal {0}", end.signal);
  return vscode.l10n.t("it ended with code {0}", end.exit ?? "?");
}
