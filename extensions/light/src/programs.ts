//! Runs a program in the workspace to its end and gives its output. Its number may be seen before its start is answered.

import { joined, type Session, SessionError } from "./session.ts";

export interface Finished {
  code: number;
  stdout: Uint8Array;
  stderr: string;
}

interface Running {
  stdout: Uint8Array[];
  stderr: Uint8Array[];
  code: number | undefined;
  done: ((one: Running) => void) | undefined;
  failed: ((error: Error) => void) | undefined;
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
      one = { stdout: [], stderr: [], code: undefined, done: undefined, failed: undefined };
      this.running.set(program, one);
    }
    return one;
  }

  output(program: number, stream: "stdout" | "stderr", output: Uint8Array): void {
    this.of(program)[stream].push(output);
  }

  ended(params: any): void {
    const one = this.of(params.program);
    one.code = params.code ?? params.exit ?? 1;
    one.done?.(one);
  }

  /** Programs end with their session. */
  lost(): void {
    const all = [...this.running.values()];
    this.running.clear();
    for (const one of all) one.failed?.(new SessionError("session.lost", "the connection was lost while it ran"));
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
      if (one.code !== undefined) done(one);
    });
    this.running.delete(program);
    const stderr = new TextDecoder().decode(joined(...ended.stderr));
    return { code: ended.code ?? 1, stdout: joined(...ended.stdout), stderr };
  }
}
