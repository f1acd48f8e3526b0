// One function being edited: what the server has, what is in the editor, and what happens between them.
// Nothing typed may be lost: unsaved text is kept in this browser until the server has acknowledged it.
import { api, ApiError, type Fn, type Published } from '../api';

export type DraftStatus = 'saved' | 'dirty' | 'saving' | 'failed' | 'conflict';
type Kept = { source: string; revision: number };

const AUTOSAVE_MS = 1_500;

export class Draft {
  fn = $state.raw<Fn>() as Fn;
  source = $state('');
  status = $state<DraftStatus>('saved');
  failure = $state.raw<unknown>(null);
  /** What somebody else saved meanwhile. */
  theirs = $state.raw<Fn | null>(null);
  readonly changed = $derived(this.fn.changed || this.source !== this.fn.source);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #saving: Promise<boolean> | null = null;

  constructor(
    readonly app: string,
    fn: Fn,
    readonly readOnly: boolean,
    readonly store: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>,
  ) {
    this.fn = fn;
    this.source = fn.source;
    const kept = this.#kept();
    if (kept && kept.source !== fn.source && !readOnly) this.#takeBack(kept);
  }

  get #key(): string {
    return `darter.unsaved.${this.app}.${this.fn.id}`;
  }

  #kept(): Kept | null {
    try {
      return JSON.parse(this.store.getItem(this.#key) ?? 'null') as Kept | null;
    } catch {
      return null;
    }
  }

  #takeBack(kept: Kept): void {
    this.source = kept.source;
    if (kept.revision === this.fn.revision) {
      this.status = 'dirty';
      this.#later();
    } else {
      this.theirs = this.fn;
      this.fn = { ...this.fn, revision: kept.revision };
      this.status = 'conflict';
    }
  }

  edit(source: string): void {
    if (this.readOnly || source === this.source) return;
    this.source = source;
    this.#keep();
    if (this.status === 'conflict') return;
    this.status = 'dirty';
    this.#later();
  }

  #keep(): void {
    try {
      this.store.setItem(this.#key, JSON.stringify({ source: this.source, revision: this.fn.revision } satisfies Kept));
    } catch {
      // A full browser store costs only the safety net; the server still gets every save.
    }
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.save(), AUTOSAVE_MS);
  }

  /** Saves what is in the editor. Answers whether the server has it. */
  async save(): Promise<boolean> {
    clearTimeout(this.#timer);
    if (this.#saving) {
      await this.#saving;
      return this.status === 'dirty' ? this.save() : this.status === 'saved';
    }
    if (this.status === 'saved' || this.readOnly) return true;
    if (this.status === 'conflict') return false;
    this.#saving = this.#send();
    const saved = await this.#saving;
    this.#saving = null;
    return saved;
  }

  async #send(): Promise<boolean> {
    const sent = this.source;
    this.status = 'saving';
    try {
      this.fn = await api.updateFunction(this.app, this.fn.name, this.fn.revision, { source: sent });
      this.failure = null;
      this.#settle(sent);
      return true;
    } catch (error) {
      await this.#refused(error);
      return false;
    }
  }

  #settle(sent: string): void {
    if (this.source === sent) {
      this.status = 'saved';
      this.store.removeItem(this.#key);
    } else {
      this.status = 'dirty';
      this.#keep();
      this.#later();
    }
  }

  async #refused(error: unknown): Promise<void> {
    this.failure = error;
    this.status = 'failed';
    if (!(error instanceof ApiError) || error.status !== 412) return;
    try {
      this.theirs = await api.function(this.app, this.fn.name);
      this.status = 'conflict';
    } catch (second) {
      this.failure = second;
    }
  }

  /** Ends a conflict with this text on top of theirs. */
  async resolve(source: string): Promise<boolean> {
    if (!this.theirs) return true;
    this.fn = this.theirs;
    this.theirs = null;
    this.source = source;
    this.status = source === this.fn.source ? 'saved' : 'dirty';
    if (this.status === 'saved') this.store.removeItem(this.#key);
    return this.save();
  }

  /** Saves and publishes in one call; what the compiler refuses is thrown, and nothing is published then. */
  async publish(message: string): Promise<Published> {
    clearTimeout(this.#timer);
    if (this.#saving) await this.#saving;
    const sent = this.source;
    const body = { source: sent, ...(message ? { message } : {}) };
    try {
      const published = await api.publish(this.app, this.fn.name, body, this.fn.revision);
      this.fn = await api.function(this.app, this.fn.name);
      this.#settle(sent);
      return published;
    } catch (error) {
      if (error instanceof ApiError && error.status === 412) await this.#refused(error);
      else if (this.status === 'dirty') this.#later();
      throw error;
    }
  }

  /** Takes over a change of name, methods or description. */
  renamed(fn: Fn): void {
    this.fn = fn;
  }

  close(): void {
    clearTimeout(this.#timer);
    if (this.status === 'dirty') void this.save();
  }
}
