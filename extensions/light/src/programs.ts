//! Programs in the workspace: run to their end for their output, or watched while they run. A number may be seen before
//! the start is answered.

import { joined, type Session, SessionError } from "./session.ts";

export interface Finished {
  code: number;
  stdout: Uint8Array;
  stderr: string;
}

interface Running {
  stdout: Uint8Array[];
  stderr: Uint8Array[];
  /** What was said at its end. */
  last: any;
  watcher: Watcher | undefined;
  done: ((one: Running) => void) | undefined;
  failed: ((error: Error) => void) | undefined;
}

/** Whoever takes what a program prints as it comes. */
export interface Watcher {
  output(stream: "stdout" | "stderr", output: Uint8Array): void;
  /** What was said at its end; nothing when the session was cut and it went with it. */
  ended(last: any | undefined): void;
}

export class Programs {
  private readonly running = new Map<number, Running>();
  private readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  private of(program: number): Running {
    let one = this.running.get(program);
    if (!one) {
      one = { stdout: [], stderr: [], last: undefined, watcher: undefined, done: undefined, failed: undefined };
      this.running.set(program, one);
    }
    return one;
  }

  output(program: number, stream: "stdout" | "stderr", output: Uint8Array): void {
    const one = this.of(program);
    if (one.watcher) one.watcher.output(stream, output);
    else one[stream].push(output);
  }

  ended(params: any): void {
    const one = this.of(params.program);
    one.last = params;
    one.done?.(one);
    if (!one.watcher) return;
    this.running.delete(params.program);
    one.watcher.ended(params);
  }

  /** Hears of a program that has just been started, from its first byte on. */
  watch(program: number, watcher: Watcher): void {
    const one = this.of(program);
    one.watcher = watcher;
    for (const stream of ["stdout", "stderr"] as const) {
      for (const output of one[stream].splice(0)) watcher.output(stream, output);
    }
    if (one.last) this.ended(one.last);
  }

  /** Programs end with their session. */
  lost(): void {
    const all = [...this.running.values()];
    this.running.clear();
    for (const one of all) {
      one.failed?.(new SessionError("session.lost", "the connection was lost while it ran"));
      one.watcher?.ended(undefined);
    }
  }

  async run(argv: string[], cwd: string, input?: string): Promise<Finished> {
    const env = { GIT_OPTIONAL_LOCKS: "0", GIT_TERMINAL_PROMPT: "0", LC_ALL: "C.UTF-8" };
    const { result } = await this.session.request("program.start", { argv, cwd, env }, { once: true });
    const program = result.program as number;
    const one = this.of(program);
    if (input !== undefined) this.session.feed(program, new TextEncoder().encode(input));
    this.session.feed(program, new Uint8Array());
    const ended = await new Promise<Running>((done, failed) => {
      one.done = done;
      one.failed = failed;
      if (one.last) done(one);
    });
    this.running.delete(program);
    const stderr = new TextDecoder().decode(joined(...ended.stderr));
    return { code: ended.last.exit ?? 1, stdout: joined(...ended.stdout), stderr };
  }
}
