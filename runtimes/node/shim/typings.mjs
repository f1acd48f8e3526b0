// The paths under `/_/`: health, type declarations of packages for editors, and the app's API description.

import { app } from './app.mjs';
import { answerJson, answerPlain } from './answer.mjs';
import { sourceText } from './errors.mjs';
import { headersOf, parseQuery } from './head.mjs';
import { Invocation } from './invoke.mjs';
import { findPackage } from './packages.mjs';
import { parseToken } from './token.mjs';

const fs = process.getBuiltinModule('node:fs');
const module = process.getBuiltinModule('node:module');
const path = process.getBuiltinModule('node:path');

const MAX_FILES = 300;
const MAX_BYTES = 4 << 20;

/** Answers a request whose path begins with `_/`. */
export async function serve(exchange, name) {
  const invocation = new Invocation(exchange, undefined);
  const query = parseQuery(exchange.fields[1]);
  switch (name) {
    case '_/healthz':
      return answerPlain(invocation, 200, 'ok');
    case '_/typing/package':
      return typings(invocation, query);
    case '_/api-docs':
      return apiDocs(invocation, query);
    default:
      return answerPlain(invocation, 404, 'Function Not Found');
  }
}

function typings(invocation, query) {
  const token = parseToken(headersOf(invocation.fields)['x-laf-develop-token'], app.secret);
  if (token?.type !== 'develop') return answerPlain(invocation, 403, 'permission denied: invalid develop token');
  const name = String(query.packageName ?? '');
  if (name === '') return answerJson(invocation, 200, { code: 1, error: 'packageName is missing' });
  const data = declarations(name);
  return answerJson(invocation, 200, data === undefined ? { code: 1, error: `no type declarations for "${name}" here` } : { code: 0, data });
}

/** `{packageName, content, path, from}` of every declaration file that a package needs. */
function declarations(name) {
  if (name.startsWith('@/')) return functionSource(name);
  const bare = name.startsWith('node:') || module.builtinModules.includes(name) ? '@types/node' : name;
  const found = findTypes(bare) ?? findTypes(typesName(bare));
  if (found === undefined) return undefined;
  const files = collect(found);
  return files.map(([file, content]) => ({ packageName: bare, content, path: `${found.name}/${path.relative(found.root, file)}`, from: found.from }));
}

function functionSource(name) {
  const definition = app.graph.lookup(name.slice(2))?.definition;
  const content = definition === undefined ? undefined : (sourceText(definition) ?? definition.code);
  return content === undefined ? undefined : [{ packageName: name, content, path: `${name}.ts`, from: 'function' }];
}

function typesName(name) {
  return `@types/${name.startsWith('@') ? name.slice(1).replace('/', '__') : name}`;
}

function findTypes(name) {
  const found = findPackage(name);
  if (found === undefined) return undefined;
  const about = JSON.parse(fs.readFileSync(path.join(found.root, 'package.json'), 'utf8'));
  const main = typeof about.main === 'string' ? about.main.replace(/\.[cm]?js$/, '') : 'index';
  const candidates = [about.types, about.typings, typesOf(about.exports), `${main}.d.ts`, 'index.d.ts'].filter((entry) => typeof entry === 'string');
  const entry = candidates.map((file) => path.join(found.root, file)).map(asDeclaration).find((file) => file !== undefined);
  return entry === undefined ? undefined : { ...found, name, entry };
}

/** The first `types` condition of an exports field. */
function typesOf(exports, depth = 0) {
  if (exports === null || typeof exports !== 'object' || depth > 4) return undefined;
  if (typeof exports.types === 'string') return exports.types;
  for (const key of ['.', 'types', 'import', 'require', 'default']) {
    const inner = typesOf(exports[key], depth + 1);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function asDeclaration(file) {
  const stem = file.replace(/\.[cm]?[jt]s$/, '').replace(/\.d$/, '');
  return [file.endsWith('.ts') ? file : '', `${stem}.d.ts`, `${stem}.d.mts`, `${stem}.d.cts`, path.join(file, 'index.d.ts')].find((one) => one.endsWith('ts') && fs.existsSync(one) && fs.statSync(one).isFile());
}

const REFERENCES = /(?:from\s+|import\s*\(\s*|import\s+|require\s*\(\s*|reference\s+path\s*=\s*)["'](\.{0,2}\/?[^"']+)["']/g;

/** The entry and every file of the package that it leads to. */
function collect(found) {
  const files = new Map();
  const queue = [found.entry];
  let bytes = 0;
  while (queue.length > 0 && files.size < MAX_FILES && bytes < MAX_BYTES) {
    const file = queue.shift();
    if (files.has(file) || !file.startsWith(found.root + path.sep)) continue;
    const content = fs.readFileSync(file, 'utf8');
    files.set(file, content);
    bytes += content.length;
    for (const [whole, reference] of content.matchAll(REFERENCES)) {
      if (!reference.startsWith('.') && !whole.startsWith('reference')) continue;
      const next = asDeclaration(path.resolve(path.dirname(file), reference));
      if (next !== undefined) queue.push(next);
    }
  }
  return [...files];
}

function apiDocs(invocation, query) {
  if (parseToken(String(query.token ?? ''), app.secret)?.type !== 'openapi') return answerPlain(invocation, 403, 'permission denied: invalid openapi token');
  const paths = {};
  for (const { name, definition } of app.graph.modules.values()) {
    const operations = {};
    for (const method of definition.methods) operations[method.toLowerCase()] = operation(name, method, definition);
    paths[`/${name}`] = operations;
  }
  const headers = headersOf(invocation.fields);
  const servers = headers.host === undefined ? [] : [{ url: `${headers['x-forwarded-proto'] ?? 'http'}://${headers.host}` }];
  return answerJson(invocation, 200, { openapi: '3.0.0', info: { title: `App ${app.id}`, version: '1.0.0' }, servers, paths });
}

function operation(name, method, definition) {
  const body = method === 'POST' || method === 'PUT' || method === 'PATCH';
  return {
    operationId: `${name}_${method.toLowerCase()}`,
    summary: definition.description ?? name,
    tags: definition.tags ?? [],
    ...(body ? { requestBody: { content: { 'application/json': { schema: { type: 'object' } } } } } : {}),
    responses: { 200: { description: 'The answer of the function', content: { 'application/json': { schema: {} } } } },
  };
}
