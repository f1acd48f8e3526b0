// What a person wants installed, and what the server says while it installs. Pure.

const NAME = /^(?:@[a-z0-9-~][a-z0-9-._~]*\/)?[a-z0-9-~][a-z0-9-._~]*$/;

export function packageNameFault(name: string): boolean {
  return name.length > 214 || !NAME.test(name);
}

/** `name`, `name@range` or `@scope/name@range`, as people paste it. */
export function splitPackage(text: string): { name: string; range: string } {
  const trimmed = text.trim().replace(/^npm (?:i|install|add) /, '');
  const at = trimmed.lastIndexOf('@');
  if (at > 0) return { name: trimmed.slice(0, at), range: trimmed.slice(at + 1) || 'latest' };
  return { name: trimmed, range: '' };
}

/** What to look for while somebody types; nothing while they write a range or a single letter. */
export function searchText(typed: string): string {
  const { name, range } = splitPackage(typed);
  return range || name.length < 2 ? '' : name.slice(0, 100);
}

/** How many packages differ between what is wanted and what the server has. */
export function differences(wanted: Record<string, string>, have: Record<string, string>): number {
  const names = new Set([...Object.keys(wanted), ...Object.keys(have)]);
  return [...names].filter((name) => wanted[name] !== have[name]).length;
}

/** The text of one server-sent event, whatever shape it came in. */
export function eventText(data: string): string {
  try {
    const value = JSON.parse(data) as unknown;
    if (typeof value === 'string') return value;
    if (value && typeof value === 'object') {
      for (const key of ['line', 'name', 'message', 'text']) {
        const text = (value as Record<string, unknown>)[key];
        if (typeof text === 'string') return text;
      }
      return '';
    }
    return String(value);
  } catch {
    return data;
  }
}

export const PHASES = ['resolve', 'download', 'build', 'warm', 'store'] as const;
