// The lines on a log page: the newest last, none twice, never more than fit. Pure.
import type { LogLine } from './api';

export const LINES_AT_MOST = 5_000;

/** Joins lines that just came to those that are shown, by cursor. */
export function append(shown: LogLine[], fresh: LogLine[], limit = LINES_AT_MOST): LogLine[] {
  const seen = new Set(shown.slice(-500).map((line) => line.cursor));
  const added = fresh.filter((line) => !seen.has(line.cursor));
  if (added.length === 0) return shown;
  const joined = [...shown, ...added];
  return joined.length > limit ? joined.slice(joined.length - limit) : joined;
}

/** Puts an older page (newest first, as the server answers) before those that are shown. */
export function prepend(shown: LogLine[], older: LogLine[]): LogLine[] {
  const seen = new Set(shown.slice(0, 500).map((line) => line.cursor));
  return [...older.filter((line) => !seen.has(line.cursor)).reverse(), ...shown];
}

export const ROW = 28;

/** Which rows of a list of equal heights are in view, with a few more at both ends. */
export function visible(total: number, scrollTop: number, height: number, row = ROW, spare = 12): { from: number; to: number } {
  const from = Math.max(0, Math.floor(scrollTop / row) - spare);
  return { from, to: Math.min(total, Math.ceil((scrollTop + height) / row) + spare) };
}
