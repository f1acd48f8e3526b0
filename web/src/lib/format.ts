// Numbers, sizes, durations and times as people read them. Pure: the locale and the present come in as arguments.

export function bytes(value: number, locale = 'en-GB'): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let amount = value;
  let unit = 0;
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  const digits = amount >= 100 || unit === 0 || Number.isInteger(amount) ? 0 : 1;
  return `${amount.toLocaleString(locale, { maximumFractionDigits: digits })} ${units[unit]}`;
}

export function micros(us: number, locale = 'en-GB'): string {
  if (us < 1_000) return `${Math.round(us)} µs`;
  if (us < 10_000) return `${(us / 1_000).toLocaleString(locale, { maximumFractionDigits: 2 })} ms`;
  if (us < 1_000_000) return `${(us / 1_000).toLocaleString(locale, { maximumFractionDigits: us < 100_000 ? 1 : 0 })} ms`;
  return `${(us / 1_000_000).toLocaleString(locale, { maximumFractionDigits: 2 })} s`;
}

export function count(value: number, locale = 'en-GB'): string {
  if (value < 10_000) return value.toLocaleString(locale);
  return value.toLocaleString(locale, { notation: 'compact', maximumFractionDigits: 1 });
}

export function percent(part: number, whole: number, locale = 'en-GB'): string {
  if (whole === 0) return '0%';
  return (part / whole).toLocaleString(locale, { style: 'percent', maximumFractionDigits: 1 });
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];

export function relative(time: number, now: number, locale = 'en-GB'): string {
  const seconds = (time - now) / 1_000;
  const format = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' });
  for (const [unit, size] of STEPS) {
    if (Math.abs(seconds) >= size) return format.format(Math.trunc(seconds / size), unit);
  }
  return format.format(0, 'second');
}

export function dateTime(time: number, locale = 'en-GB', seconds = false): string {
  return new Date(time).toLocaleString(locale, { dateStyle: 'medium', timeStyle: seconds ? 'medium' : 'short' });
}

export function clock(time: number, locale = 'en-GB', seconds = false): string {
  return new Date(time).toLocaleTimeString(locale, {
    hour: '2-digit',
    minute: '2-digit',
    second: seconds ? '2-digit' : undefined,
    hour12: false,
  });
}

export function stamp(time: number): string {
  const date = new Date(time);
  const two = (value: number, width = 2) => String(value).padStart(width, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${two(date.getMilliseconds(), 3)}`;
}
