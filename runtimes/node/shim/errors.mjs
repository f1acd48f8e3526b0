// Stack traces in the author's own lines, and a process that outlives its functions' mistakes.
// Frames of this shim are left out: they help nobody who writes a function.

import { emit } from './console.mjs';
import { currentScope } from './scope.mjs';

const { SourceMap } = process.getBuiltinModule('node:module');
const util = process.getBuiltinModule('node:util');

const SHIM = import.meta.url;
const MAX_SOURCES = 4096;
/** @type {Map<string, {name: string, version: number, map: string | null, parsed?: SourceMap | null}>} by script name */
const sources = new Map();
let serial = 0;

/** Names a script so that its frames can be found again. @returns {string} */
export function registerSource(name, version, map) {
  serial += 1;
  const script = `${name}.ts?${serial}`;
  sources.set(script, { name, version, map });
  if (sources.size > MAX_SOURCES) sources.delete(sources.keys().next().value);
  return script;
}

/** Where a place in a script is in its source. */
function original(source, line, column) {
  if (source.parsed === undefined) source.parsed = parse(source.map);
  const entry = source.parsed?.findEntry(line - 1, column - 1);
  if (entry?.originalLine === undefined) return { line, column };
  return { line: entry.originalLine + 1, column: entry.originalColumn + 1 };
}

function parse(map) {
  if (map === null || map === undefined) return null;
  try {
    return new SourceMap(JSON.parse(map));
  } catch {
    return null;
  }
}

/** The source text of a function as its author wrote it, if its map holds it. */
export function sourceText(definition) {
  try {
    return JSON.parse(definition.map).sourcesContent?.[0] ?? undefined;
  } catch {
    return undefined;
  }
}

function frameText(site) {
  const file = site.getFileName() ?? site.getScriptNameOrSourceURL?.() ?? '';
  if (file === SHIM) return undefined;
  const source = sources.get(file);
  if (source === undefined) return file.startsWith('node:internal') ? undefined : site.toString();
  const place = original(source, site.getLineNumber() ?? 1, site.getColumnNumber() ?? 1);
  const where = `${source.name}.ts:${place.line}:${place.column}`;
  const caller = callerName(site);
  return caller === '' ? where : `${caller} (${where})`;
}

function callerName(site) {
  const name = site.getFunctionName() ?? site.getMethodName() ?? '';
  if (name === '') return '';
  const type = site.isToplevel() ? null : site.getTypeName();
  const full = site.isConstructor() ? `new ${name}` : type !== null && type !== 'Object' && !name.includes('.') ? `${type}.${name}` : name;
  return site.isAsync() ? `async ${full}` : full;
}

/** Maps every stack of this process. */
export function installStackTraces() {
  Error.stackTraceLimit = 20;
  Error.prepareStackTrace = (error, sites) => {
    let head;
    try {
      head = Error.prototype.toString.call(error);
    } catch {
      head = 'Error';
    }
    const frames = [];
    for (const site of sites) {
      const text = frameText(site);
      if (text !== undefined) frames.push(`\n    at ${text}`);
    }
    return head + frames.join('');
  };
}

/** Gives a compile error the place in the author's source instead of this shim's frames. */
export function locate(error, script) {
  const stack = String(error.stack);
  const source = sources.get(script);
  const line = stack.startsWith(`${script}:`) ? Number.parseInt(stack.slice(script.length + 1), 10) : Number.NaN;
  if (source === undefined || Number.isNaN(line)) return error;
  const place = original(source, line, 1);
  error.stack = `${error.name}: ${error.message}\n    at ${source.name}.ts:${place.line}`;
  return error;
}

/** An error as text for a log: stack, properties, causes. */
export function describe(error) {
  try {
    return error instanceof Error ? util.inspect(error, { depth: 2 }) : `Thrown value: ${util.inspect(error, { depth: 2 })}`;
  } catch {
    return 'An error that cannot be printed';
  }
}

/** The line of the author's source where a SyntaxError or a thrown error happened, or null. */
export function lineOf(error, name) {
  const stack = String(error?.stack ?? '');
  const at = stack.indexOf(`${name}.ts:`);
  const line = at === -1 ? Number.NaN : Number.parseInt(stack.slice(at + name.length + 4), 10);
  return Number.isNaN(line) ? null : line;
}

/** Which function a stack belongs to, when no scope says so. */
function blame(error) {
  const scope = currentScope();
  if (scope !== undefined) return scope;
  const match = /(?:\(|at )([\w.\-/]+)\.ts:\d+:\d+/.exec(String(error?.stack ?? ''));
  for (const source of [...sources.values()].reverse()) if (source.name === match?.[1]) return source;
  return { name: '', version: 0 };
}

/** Uncaught exceptions and rejected promises are logged; the process goes on. */
export function installSafetyNet() {
  process.on('uncaughtException', (error) => {
    const { name, version } = blame(error);
    emit('error', name, version, `Uncaught exception: ${describe(error)}`);
  });
  process.on('unhandledRejection', (reason) => {
    const { name, version } = blame(reason);
    emit('error', name, version, `Unhandled rejection: ${describe(reason)}`);
  });
  process.on('warning', (warning) => {
    const { name, version } = blame(undefined);
    emit('warn', name, version, `${warning.name}: ${warning.message}`);
  });
}

/** A function must not end the process that serves its neighbours' requests. */
export function forbidExit() {
  const refuse = (call) => () => {
    const { name, version } = blame(undefined);
    const message = `${call}() does nothing in a function: other requests run in the same process. Return or throw instead.`;
    emit('error', name, version, message);
    throw new Error(message);
  };
  const end = process.reallyExit.bind(process);
  process.exit = refuse('process.exit');
  process.abort = refuse('process.abort');
  return end;
}
