// How numbers, times, limits and logs are put before people.
import { describe, expect, it } from 'vitest';
import { axis, level, path } from '../src/lib/chart';
import { bytes, micros, percent, relative } from '../src/lib/format';
import { fields, inRange, shownOf, valueOf } from '../src/lib/limits';
import { append, prepend, visible } from '../src/lib/logs';
import type { LogLine } from '../src/lib/api';

const line = (cursor: number) => ({ cursor: String(cursor) }) as LogLine;

describe('formats', () => {
  it('keep the unit that people expect', () => {
    expect([0, 1023, 1024, 1536, 5 << 20].map((value) => bytes(value))).toEqual(['0 B', '1,023 B', '1 KiB', '1.5 KiB', '5 MiB']);
    expect([820, 6_420, 64_200, 1_500_000].map((value) => micros(value))).toEqual(['820 µs', '6.42 ms', '64.2 ms', '1.5 s']);
    expect(percent(1, 0)).toBe('0%');
    expect(relative(0, 120_000, 'en')).toBe('2 min. ago');
  });
});

describe('limits', () => {
  it('survive the way to a field and back', () => {
    for (const field of Object.values(fields)) {
      for (const value of [field.min, field.max]) {
        if (field.unit === 'unit.mib' && value % field.scale !== 0) continue;
        expect(valueOf(field, shownOf(field, value)), field.name).toBe(value);
      }
      expect(inRange(field, field.min - 1)).toBe(false);
      expect(inRange(field, Number.NaN)).toBe(false);
    }
  });
});

describe('charts', () => {
  it('have round axes that reach the peak', () => {
    expect(axis(0)).toEqual([0, 1]);
    expect(axis(97)).toEqual([0, 25, 50, 75, 100]);
    expect(axis(1, { whole: true })).toEqual([0, 1]);
    expect(axis(9, { whole: true }).every(Number.isInteger)).toBe(true);
    expect(axis(1_040).at(-1)).toBeGreaterThanOrEqual(1_040);
  });
  it('draw the largest value on top', () => {
    expect(level(100, 100, 50)).toBe(0);
    expect(level(0, 100, 50)).toBe(50);
    expect(path([[0, 1], [2, 3]])).toBe('M0.0 1.0L2.0 3.0');
  });
});

describe('log lines', () => {
  it('come once, however often they are sent', () => {
    const shown = append([line(1), line(2)], [line(2), line(3)]);
    expect(shown.map((item) => item.cursor)).toEqual(['1', '2', '3']);
    expect(append(shown, [line(3)])).toBe(shown);
  });
  it('are turned round when an older page comes', () => {
    expect(prepend([line(5)], [line(4), line(3)]).map((item) => item.cursor)).toEqual(['3', '4', '5']);
  });
  it('are dropped from the old end when there are too many', () => {
    expect(append([line(1), line(2)], [line(3)], 2).map((item) => item.cursor)).toEqual(['2', '3']);
  });
  it('are drawn only where they can be seen', () => {
    expect(visible(1_000, 2_800, 280, 28, 2)).toEqual({ from: 98, to: 112 });
    expect(visible(3, 0, 600)).toEqual({ from: 0, to: 3 });
  });
});
