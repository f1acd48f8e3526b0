//! One run of a language server, from its start to its end, and VS Code's language client on it. Whether there is another
//! is decided elsewhere (server.ts): the client restarts nothing.

import * as vscode from "vscode";
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  CloseAction,
  type DataCallback,
  type Disposable,
  ErrorAction,
  type InitializeParams,
  LanguageClient,
  type Message,
  type Middleware,
  RevealOutputChannelOn,
} from "vscode-languageclient/browser";
import { joined, type Session } from "../session.ts";
import type { Programs } from "../programs.ts";
import { framed, Unframer } from "./framing.ts";
import type { Server } from "./servers.ts";
import { tame } from "./tame.ts";

/** What is kept of what it says beside the protocol. */
const LAST_WORDS = 4_096;

/** How it ended. */
export interface End {
  /** `idle`, `unread` (the attendant's words), `lost` with the session, `broken`: it said what is no message; else it ended by itself. */
  why: string | undefined;
  exit: number | undefined;
  signal: string | undefined;
  words: string;
}

export interface Around {
  session: Session;
  programs: Programs;
  folder: vscode.Uri;
  channel: vscode.LogOutputChannel;
}

export class Life {
  readonly ended: Promise<End>;
  private readonly around: Around;
  private readonly reader: Reader;
  private client: Client | undefined;
  private program: number | undefined;
  private words = new Uint8Array();
  private end: (end: End) => void = () => {};

  constructor(around: Around) {
    this.around = around;
    this.reader = new Reader(around.folder.path);
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  /** Whether there will be an end. */
  began = false;

  /** Resolves when it is ready. */
  async begin(server: Server): Promise<void> {
    const { session, programs } = this.around;
    const { result } = await session.request("language.start", { server: server.name });
    const program = result.program as number;
    this.program = program;
    this.began = true;
    programs.watch(program, {
      output: (stream, output) => (stream === "stdout" ? this.heard(output) : this.said(output)),
      ended: (last) => this.over(last ? last.why : "lost", last),
    });
    const transports = { reader: this.reader, writer: new Writer((bytes) => session.feed(program, bytes)) };
    this.client = new Client(server, this.around, transports);
    // What JSON's server asks for when a file names its schema: nothing that a workspace could fetch unasked.
    this.client.onRequest("vscode/content", () => "{}");
    await this.client.start();
  }

  private heard(output: Uint8Array): void {
    try {
      this.reader.heard(output);
    } catch (error) {
      this.said(new TextEncoder().encode(`\n${(error as Error).message}`));
      this.stop();
      this.over("broken");
    }
  }

  private said(output: Uint8Array): void {
    this.words = joined(this.words, output).slice(-LAST_WORDS);
  }

  private over(why: string | undefined, last?: any): void {
    this.program = undefined;
    if (this.client) this.client.over = true;
    this.reader.close();
    const words = new TextDecoder().decode(this.words).trim();
    this.end({ why, exit: last?.exit ?? undefined, signal: last?.signal ?? undefined, words });
    void this.client?.dispose().catch(() => {});
  }

  /** Ended at once: it keeps nothing that it could lose. Its end is told as any other. */
  stop(): void {
    if (this.program === undefined) return;
    const params = { program: this.program, signal: "KILL" };
    this.around.session.request("program.kill", params, { once: true }).catch(() => {});
  }
}

class Client extends LanguageClient {
  over = false;
  private readonly folder: vscode.Uri;

  constructor(server: Server, around: Around, transports: { reader: Reader; writer: Writer }) {
    const { scheme, authority } = around.folder;
    super(`darter.language.${server.name}`, server.title, async () => transports, {
      documentSelector: server.selector as any,
      initializationOptions: server.initialization,
      outputChannel: around.channel,
      revealOutputChannelOn: RevealOutputChannelOn.Never,
      initializationFailedHandler: () => false,
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => ({ action: CloseAction.DoNotRestart, handled: true }),
      },
      middleware: { workspace },
      uriConverters: {
        code2Protocol: (uri) => (uri.scheme === scheme ? uri.with({ scheme: "file", authority: "" }) : uri).toString(),
        protocol2Code: (text) => {
          const uri = vscode.Uri.parse(text);
          return uri.scheme === "file" ? uri.with({ scheme, authority }) : uri;
        },
      },
    });
    this.folder = around.folder;
  }

  protected override fillInitializeParams(params: InitializeParams): void {
    super.fillInitializeParams(params);
    params.rootPath = this.folder.path;
    params.rootUri = this.folder.with({ scheme: "file", authority: "" }).toString();
  }

  /** What fails because the server has ended is told as its end, in the status bar and once. */
  override error(message: string, data?: any): void {
    if (!this.over) super.error(data instanceof Error ? `${message} ${data.message}` : message, undefined, false);
  }

  /** Servers tell much of what they do, at every key. */
  override info(): void {}
}

/** What the page itself keeps in the home is nothing to a language, and it writes there whenever something moves. */
const OWN = "/.local/share/code-server/";

const workspace: Middleware["workspace"] = {
  /** What nobody has set is an empty section: of none at all, VS Code's own servers make "check nothing". */
  configuration: async (params, token, next) => {
    const told = await next(params, token);
    if (!Array.isArray(told)) return told;
    return told.map((one, at) => one ?? (params.items[at]?.section?.includes(".") ? null : {}));
  },
  didChangeWatchedFile: async (event, next) => {
    if (!event.uri.includes(OWN)) await next(event);
  },
};

class Reader extends AbstractMessageReader {
  private readonly unframer = new Unframer();
  private readonly early: string[] = [];
  private readonly home: string;
  private callback: DataCallback | undefined;

  constructor(home: string) {
    super();
    this.home = home;
  }

  listen(callback: DataCallback): Disposable {
    this.callback = callback;
    for (const message of this.early.splice(0)) this.tell(message);
    return { dispose: () => (this.callback = undefined) };
  }

  heard(output: Uint8Array): void {
    for (const message of this.unframer.take(output)) {
      if (this.callback) this.tell(message);
      else this.early.push(message);
    }
  }

  private tell(message: string): void {
    this.callback?.(tame(JSON.parse(message), this.home) as Message);
  }

  close(): void {
    this.fireClose();
  }
}

class Writer extends AbstractMessageWriter {
  private readonly send: (bytes: Uint8Array) => void;

  constructor(send: (bytes: Uint8Array) => void) {
    super();
    this.send = send;
  }

  async write(message: Message): Promise<void> {
    this.send(framed(JSON.stringify(message)));
  }

  end(): void {}
}
