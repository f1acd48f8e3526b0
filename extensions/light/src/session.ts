//! The session with the workspace: requests, answers and streams over one WebSocket (docs/reference/attendant.md).
//! It comes back by itself after a freeze or a cut. It must never send on its own while nobody does anything: a frame
//! would keep a quiet workspace awake.

const Kind = {
  AnswerBody: 1,
  RequestBody: 2,
  TerminalOutput: 3,
  TerminalInput: 4,
  Stdout: 5,
  Stderr: 6,
  Stdin: 7,
} as const;

/** Longest that an answer may stay away while nothing else comes either. */
const SILENCE = 20_000;
const PAUSES = [0, 250, 1_000, 2_000, 5_000];

export class SessionError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Answer {
  result: any;
  body: Uint8Array;
}

interface Pending {
  message: any;
  body: Uint8Array | undefined;
  /** May be sent once more after a cut, because doing it twice is doing it once. */
  again: boolean;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

export class Session {
  private socket: WebSocket | undefined;
  private open = false;
  private next = 1;
  private tries = 0;
  private readonly pending = new Map<number, Pending>();
  private readonly bodies = new Map<number, Uint8Array>();
  private heard = Date.now();
  private watchdog: ReturnType<typeof setTimeout> | undefined;
  private reconnecting: ReturnType<typeof setTimeout> | undefined;
  private readonly url: string;

  /** Something that the workspace says unasked. */
  onNotification: (method: string, params: any) => void = () => {};
  onTerminal: (terminal: number, output: Uint8Array) => void = () => {};
  onProgram: (program: number, stream: "stdout" | "stderr", output: Uint8Array) => void = () => {};
  /** The connection is there, for the first time or again: watches have to be set anew. */
  onConnected: (again: boolean) => void = () => {};
  onLost: () => void = () => {};

  constructor(url: string) {
    this.url = url;
    this.connect();
  }

  private connect(): void {
    this.reconnecting = undefined;
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      const again = this.tries > 0 || this.next > 1;
      this.open = true;
      this.heard = Date.now();
      this.onConnected(again);
      for (const [id, one] of this.pending) this.transmit(id, one);
      this.watch();
    };
    socket.onmessage = (event) => {
      this.heard = Date.now();
      this.tries = 0;
      if (typeof event.data === "string") this.text(JSON.parse(event.data));
      else this.binary(new Uint8Array(event.data));
    };
    socket.onclose = () => this.lost(socket);
  }

  private lost(socket: WebSocket): void {
    if (socket !== this.socket) return;
    const was = this.open;
    this.open = false;
    this.socket = undefined;
    this.bodies.clear();
    for (const [id, one] of [...this.pending]) {
      if (one.again) continue;
      this.pending.delete(id);
      one.reject(new SessionError("session.lost", "the connection to the workspace was lost before it answered"));
    }
    if (was) this.onLost();
    const pause = PAUSES[Math.min(this.tries, PAUSES.length - 1)] ?? 0;
    this.tries += 1;
    this.reconnecting = setTimeout(() => this.connect(), pause);
  }

  /** The person is back, or the network: do not wait for the next try, and notice a dead connection now. */
  hurry(): void {
    if (this.reconnecting !== undefined) {
      clearTimeout(this.reconnecting);
      this.tries = 0;
      this.connect();
    } else if (this.open) {
      this.request("ping").catch(() => {});
    }
  }

  /** Looks whether answers come, as long as some are awaited. */
  private watch(): void {
    if (this.watchdog !== undefined || this.pending.size === 0) return;
    const left = this.heard + SILENCE - Date.now();
    this.watchdog = setTimeout(() => {
      this.watchdog = undefined;
      const socket = this.socket;
      if (!this.open || !socket || this.pending.size === 0) return;
      if (Date.now() - this.heard < SILENCE) return this.watch();
      socket.close();
      this.lost(socket);
    }, Math.max(left, 1_000));
  }

  private text(message: any): void {
    if (message.id === undefined) return this.onNotification(message.method, message.params);
    const one = this.pending.get(message.id);
    if (!one) return;
    this.pending.delete(message.id);
    const body = this.bodies.get(message.id) ?? new Uint8Array();
    this.bodies.delete(message.id);
    if (message.error) one.reject(new SessionError(message.error.code, message.error.message));
    else one.resolve({ result: message.result, body });
  }

  private binary(frame: Uint8Array): void {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
    const id = view.getUint32(1);
    const payload = frame.subarray(5);
    switch (frame[0]) {
      case Kind.AnswerBody: {
        const before = this.bodies.get(id);
        this.bodies.set(id, before ? joined(before, payload) : payload);
        break;
      }
      case Kind.TerminalOutput:
        this.onTerminal(id, payload);
        break;
      case Kind.Stdout:
        this.onProgram(id, "stdout", payload);
        break;
      case Kind.Stderr:
        this.onProgram(id, "stderr", payload);
        break;
    }
  }

  private transmit(id: number, one: Pending): void {
    this.socket?.send(JSON.stringify(one.message));
    if (one.body) this.frame(Kind.RequestBody, id, one.body);
  }

  private frame(kind: number, id: number, payload: Uint8Array): void {
    if (!this.open) return;
    const frame = new Uint8Array(5 + payload.length);
    frame[0] = kind;
    new DataView(frame.buffer).setUint32(1, id);
    frame.set(payload, 5);
    this.socket?.send(frame);
  }

  async request(method: string, params: any = {}, options: { body?: Uint8Array; once?: boolean } = {}): Promise<Answer> {
    const id = this.next++;
    const withBody = options.body ? { ...params, body: true } : params;
    return new Promise((resolve, reject) => {
      const message = { id, method, params: withBody };
      const one = { message, body: options.body, again: !options.once, resolve, reject };
      this.pending.set(id, one);
      if (this.open) this.transmit(id, one);
      this.watch();
    });
  }

  /** Ends a request that nobody waits for any more. */
  cancel(id: number): void {
    if (this.open) this.socket?.send(JSON.stringify({ id: this.next++, method: "cancel", params: { id } }));
  }

  /** The number that the next request gets: for who may want to cancel it. */
  get upcoming(): number {
    return this.next;
  }

  typeIn(terminal: number, input: Uint8Array): void {
    this.frame(Kind.TerminalInput, terminal, input);
  }

  feed(program: number, input: Uint8Array): void {
    this.frame(Kind.Stdin, program, input);
  }
}

export function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
