// Reads what a request head says: headers and query, with the meaning that Node and Express give them.

import { builtInPackage } from './packages.mjs';

const FIRST_HEADER = 6;
const FIRST_WINS = new Set([
  'age', 'authorization', 'content-length', 'content-type', 'etag', 'expires', 'from', 'host', 'if-modified-since', 'if-unmodified-since',
  'last-modified', 'location', 'max-forwards', 'proxy-authorization', 'referer', 'retry-after', 'server', 'user-agent',
]);

/** Headers as Node's `request.headers`, with `x-real-ip` filled in. */
export function headersOf(fields) {
  const headers = {};
  for (let i = FIRST_HEADER; i < fields.length; i += 2) {
    const name = fields[i];
    const value = fields[i + 1];
    const before = Object.hasOwn(headers, name) ? headers[name] : undefined;
    if (before === undefined) headers[name] = name === 'set-cookie' ? [value] : value;
    else if (Array.isArray(before)) before.push(value);
    else if (!FIRST_WINS.has(name)) headers[name] = `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
  headers['x-real-ip'] ??= headers['x-forwarded-for'] ?? fields[3];
  return headers;
}

let qs;

/** The query of a target, as Express's extended parser reads it. */
export function parseQuery(target) {
  const at = target.indexOf('?');
  if (at === -1) return {};
  return parseForm(target.slice(at + 1));
}

/** Form text (query or body). Plain pairs are read here; brackets and repeated names are qs's business. */
export function parseForm(text, limit = 1000) {
  if (text === '') return {};
  if (!/\[|%5B/i.test(text) && text.length < 4096) {
    const simple = parsePairs(text);
    if (simple !== undefined) return simple;
  }
  qs ??= builtInPackage('qs');
  return qs.parse(text, { allowPrototypes: true, parameterLimit: limit, arrayLimit: 100 });
}

function parsePairs(text) {
  const found = {};
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    const name = at === -1 ? pair : pair.slice(0, at);
    if (name === '') continue;
    const key = decode(name);
    if (key === '__proto__' || Object.hasOwn(found, key)) return undefined;
    found[key] = at === -1 ? '' : decode(pair.slice(at + 1));
  }
  return found;
}

function decode(text) {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
