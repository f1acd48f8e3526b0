//! The workbench's own file system interface (`IFileSystemProvider`) over the session. Numbers and names are VS Code's.
//! Follows what the attendant says; never keeps a copy of a file.

import { type Session, SessionError } from "./session.ts";

const FILE = 1;
const FOLDER = 2;
const LINK = 64;
const CAPABILITIES = 2 /* read and write */ | 8 /* copy */ | 1024 /* case-sensitive */ | 32768; /* atomic write */

const CHANGES: Record<string, number> = { changed: 0, created: 1, deleted: 2 };

/** What VS Code calls an attendant's fault. */
const FAULTS: Record<string, string> = {
  "file.not_found": "EntryNotFound",
  "file.exists": "EntryExists",
  "file.not_a_directory": "EntryNotADirectory",
  "file.is_a_directory": "EntryIsADirectory",
  "file.permission": "NoPermissions",
  "file.too_large": "EntryTooLarge",
};

interface Uri {
  path: string;
  with(change: { path: string }): Uri;
}

type Listener<T> = (event: T) => void;

class Emitter<T> {
  private readonly listeners = new Set<Listener<T>>();
  readonly event = (listener: Listener<T>, self?: unknown, disposables?: { push(one: unknown): void }) => {
    const bound = self ? listener.bind(self) : listener;
    this.listeners.add(bound);
    const disposable = { dispose: () => this.listeners.delete(bound), [Symbol.dispose]: () => this.listeners.delete(bound) };
    if (Array.isArray(disposables)) disposables.push(disposable);
    return disposable;
  };
  fire(event: T): void {
    for (const listener of this.listeners) listener(event);
  }
}

interface Watch {
  resource: Uri;
  options: { recursive: boolean; excludes: string[] };
  number: number | undefined;
}

export class FileProvider {
  readonly capabilities = CAPABILITIES;
  private readonly changes = new Emitter<{ type: number; resource: Uri }[]>();
  readonly onDidChangeFile = this.changes.event;
  readonly onDidChangeCapabilities = new Emitter<void>().event;
  private readonly watches = new Set<Watch>();
  private readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  private async ask(method: string, params: any, options: { body?: Uint8Array; once?: boolean } = {}) {
    try {
      return await this.session.request(method, params, options);
    } catch (error) {
      throw named(error);
    }
  }

  async stat(resource: Uri) {
    return entry((await this.ask("fs.stat", { path: resource.path })).result);
  }

  async readdir(resource: Uri): Promise<[string, number][]> {
    const { entries } = (await this.ask("fs.readdir", { path: resource.path })).result;
    return entries.map(([name, type, target]: [string, string, string?]) => [name, kind(type, target)]);
  }

  async readFile(resource: Uri): Promise<Uint8Array> {
    return (await this.ask("fs.read", { path: resource.path })).body;
  }

  async writeFile(resource: Uri, content: Uint8Array, options: any): Promise<void> {
    const { create, overwrite, atomic } = options;
    await this.ask("fs.write", { path: resource.path, create, overwrite, atomic: !!atomic }, { body: content });
  }

  async mkdir(resource: Uri): Promise<void> {
    await this.ask("fs.mkdir", { path: resource.path }, { once: true });
  }

  async delete(resource: Uri, options: any): Promise<void> {
    await this.ask("fs.delete", { path: resource.path, recursive: !!options.recursive }, { once: true });
  }

  async rename(from: Uri, to: Uri, options: any): Promise<void> {
    await this.ask("fs.rename", { from: from.path, to: to.path, overwrite: !!options.overwrite }, { once: true });
  }

  async copy(from: Uri, to: Uri, options: any): Promise<void> {
    await this.ask("fs.copy", { from: from.path, to: to.path, overwrite: !!options.overwrite }, { once: true });
  }

  watch(resource: Uri, options: any) {
    const watch: Watch = { resource, options, number: undefined };
    this.watches.add(watch);
    this.begin(watch);
    return {
      dispose: () => {
        this.watches.delete(watch);
        if (watch.number === undefined) return;
        this.session.request("fs.unwatch", { watch: watch.number }, { once: true }).catch(() => {});
      },
    };
  }

  private begin(watch: Watch): void {
    const { recursive, excludes } = watch.options;
    const params = { path: watch.resource.path, recursive: !!recursive, excludes: excludes ?? [] };
    // What cannot be watched (it is not there yet) is read anew when it is asked for.
    this.session.request("fs.watch", params, { once: true }).then(
      ({ result }) => {
        watch.number = result.watch;
        if (this.watches.has(watch)) return;
        this.session.request("fs.unwatch", { watch: result.watch }, { once: true }).catch(() => {});
      },
      () => {},
    );
  }

  /** After a cut the watches are gone, and nobody knows what has changed meanwhile: all that is watched is looked at. */
  connected(again: boolean): void {
    if (!again) return;
    for (const watch of this.watches) {
      watch.number = undefined;
      this.begin(watch);
    }
    this.changes.fire([...this.watches].map((watch) => ({ type: 0, resource: watch.resource })));
  }

  changed(params: { watch: number; changes: [string, string][] }): void {
    const watch = [...this.watches].find((one) => one.number === params.watch);
    if (!watch) return;
    const told = params.changes.map(([what, path]) => ({ type: CHANGES[what] ?? 0, resource: watch.resource.with({ path }) }));
    this.changes.fire(told);
  }
}

function kind(type: string, target?: string): number {
  const plain = { file: FILE, directory: FOLDER }[type === "link" ? (target ?? "file") : type] ?? 0;
  return type === "link" ? plain | LINK : plain;
}

function entry(told: any) {
  return {
    type: told.link === undefined || told.link === null ? kind(told.type, told.target) : kind("link", told.target ?? told.type),
    size: told.size,
    mtime: told.mtime ?? told.modified_ms,
    ctime: told.ctime ?? told.changed_ms,
    permissions: typeof told.mode === "number" && (told.mode & 0o200) === 0 ? 1 : undefined,
  };
}

function named(error: unknown): unknown {
  if (error instanceof SessionError) error.name = `${FAULTS[error.code] ?? "Unavailable"} (FileSystemError)`;
  return error;
}
