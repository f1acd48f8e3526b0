// Fails on a text that is not in the catalogue: literal words in templates, keys that nobody uses, keys that are used
// but missing, and a Chinese catalogue that lacks a key or still holds the English text.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parse } from 'svelte/compiler';

const root = join(import.meta.dirname, '..');
const src = join(root, 'src');
const ATTRIBUTES = new Set(['title', 'placeholder', 'aria-label', 'alt', 'label', 'text', 'hint', 'description', 'action', 'suffix']);
// Codes, names and examples that are the same in every language.
const SAME = /^(· Darter|Darter|hello\.ts|TS|TXT|CNAME|curl|[\s\d.,:;·•…→()/?+|%&#@"'“”\-_=<>{}$*]*)$/;
const EXAMPLES = /^(api\/users|zod|latest|www\.example\.org|API_KEY|Ctrl\+Enter)$/;

function* files(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else if (/\.(svelte|ts)$/.test(entry.name)) yield path;
  }
}

/** The keys and texts of one catalogue's files. */
export function catalogue(language) {
  const found = new Map();
  for (const path of files(join(src, 'lib/messages', language))) {
    const text = readFileSync(path, 'utf8');
    for (const match of text.matchAll(/^\s*'([a-z_0-9.]+)':\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|`([^`]*)`)/gm)) {
      found.set(match[1], match[2] ?? match[3] ?? match[4]);
    }
  }
  return found;
}

/** Literal words in a template, each with its place. */
export function literals(source, path) {
  const found = [];
  const ast = parse(source, { modern: true });
  const visit = (node, literal) => {
    if (!node || typeof node !== 'object') return;
    if (Array.isArray(node)) return node.forEach((item) => visit(item, literal));
    const exempt = literal || (node.attributes ?? []).some((item) => item.name === 'data-code');
    if (node.type === 'Text' && !literal && /\p{L}{2}/u.test(node.data) && !SAME.test(node.data.trim())) {
      found.push(`${path}: “${node.data.trim().slice(0, 60)}”`);
    }
    if (node.type === 'Attribute') {
      if (!ATTRIBUTES.has(node.name) || literal) return;
      for (const part of Array.isArray(node.value) ? node.value : []) {
        if (part.type === 'Text' && /\p{L}{2}/u.test(part.data) && !SAME.test(part.data) && !EXAMPLES.test(part.data)) {
          found.push(`${path}: ${node.name}="${part.data.slice(0, 60)}"`);
        }
      }
      return;
    }
    if (node.type === 'StyleSheet' || node.type === 'Comment' || node.type === 'StyleDirective') return;
    for (const [key, value] of Object.entries(node)) {
      if (key === 'attributes') visit(value, exempt);
      else if (key !== 'metadata' && key !== 'parent' && typeof value === 'object') visit(value, exempt);
    }
  };
  visit(ast.fragment, false);
  return found;
}

/** Every key named in the sources, and every prefix that is completed at run time. */
export function uses() {
  const keys = new Set();
  const prefixes = new Set();
  for (const path of files(src)) {
    if (path.includes('/messages/')) continue;
    const text = readFileSync(path, 'utf8');
    for (const match of text.matchAll(/'([a-z_]+\.[a-z_0-9.]+)'/g)) keys.add(match[1]);
    for (const match of text.matchAll(/`([a-z_]+\.[a-z_0-9.]*)\$\{/g)) prefixes.add(match[1]);
  }
  return { keys, prefixes };
}

export function problems() {
  const found = [];
  const en = catalogue('en');
  const zh = catalogue('zh');
  const { keys, prefixes } = uses();
  const known = new Set([...en.keys()].map((key) => key.split('.')[0]));
  for (const key of en.keys()) {
    if (!zh.has(key)) found.push(`zh lacks ${key}`);
    if (!keys.has(key) && ![...prefixes].some((prefix) => key.startsWith(prefix))) found.push(`nobody uses ${key}`);
  }
  for (const [key, text] of zh) {
    if (!en.has(key)) found.push(`en lacks ${key}`);
    if (text === en.get(key) && /[A-Za-z]{4}/.test(text.replace(/JSON|WebSocket|\{\w+\}/g, ''))) found.push(`zh is not translated: ${key}`);
    const holes = (value) => [...(value ?? '').matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort().filter((name, index, all) => all.indexOf(name) === index).join();
    if (holes(text) !== holes(en.get(key))) found.push(`the parameters of ${key} differ`);
  }
  for (const key of keys) {
    if (known.has(key.split('.')[0]) && !en.has(key) && !/\.(ts|js|svelte)$/.test(key)) found.push(`the catalogue lacks ${key}`);
  }
  for (const path of files(src)) {
    if (path.endsWith('.svelte')) found.push(...literals(readFileSync(path, 'utf8'), relative(root, path)));
  }
  return found;
}

if (process.argv[1] === import.meta.filename) {
  const found = problems();
  for (const problem of found) console.error(problem);
  if (found.length) process.exit(1);
  console.log('every text is in the catalogue, in both languages');
}
