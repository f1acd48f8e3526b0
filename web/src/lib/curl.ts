// The command that repeats a call from a terminal. Pure; every argument is quoted for a POSIX shell.

export function quote(text: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

export type Call = { method: string; url: string; query: string; headers: Record<string, string>; body: string };

export function curlOf(call: Call): string {
  const parts = ['curl'];
  if (call.method !== 'GET') parts.push('-X', call.method);
  for (const [name, value] of Object.entries(call.headers)) parts.push('-H', quote(`${name}: ${value}`));
  if (call.body && call.method !== 'GET' && call.method !== 'HEAD') parts.push('--data-raw', quote(call.body));
  parts.push(quote(call.query ? `${call.url}?${call.query}` : call.url));
  return parts.join(' ');
}
