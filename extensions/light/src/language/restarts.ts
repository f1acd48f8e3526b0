//! When a language server that has ended by itself is started again. Pure.

const PAUSES = [1_000, 4_000, 15_000];
/** Whoever has run for so long is not what ends at its start. */
const LONG = 60_000;

export class Restarts {
  private tries = 0;

  /** How long to wait, in milliseconds; nothing: it has ended too often. */
  next(lived: number): number | undefined {
    if (lived >= LONG) this.tries = 0;
    const pause = PAUSES[this.tries];
    this.tries += 1;
    return pause;
  }

  /** A person wants it. */
  again(): void {
    this.tries = 0;
  }
}
