// `console` of functions: each call becomes one structured record. Each function has its own console, so that its name
// and version are known without asking; the request id comes from the scope.
// It must never write to the process's own output: nobody reads it.

import { record } from './control.mjs';
import { currentScope } from './scope.mjs';

const util = process.getBuiltinModule('node:util');
const { Writable } = process.getBuiltinModule('node:stream');

const RANK = { debug: 0, info: 1, log: 1, warn: 2, error: 3 };
let threshold = 0;
let options = { depth: 2, colors: false };

/** Takes LOG_LEVEL and LOG_DEPTH from the environment. */
export function configureConsole(env) {
  threshold = RANK[String(env.LOG_LEVEL ?? 'debug').toLowerCase()] ?? 0;
  const depth = Number.parseInt(env.LOG_DEPTH ?? '', 10);
  options = { depth: Number.isNaN(depth) ? 2 : Math.min(Math.max(depth, 0), 5), colors: false };
}

/** Writes one record for a function. */
export function emit(level, name, version, message) {
  if (RANK[level] < threshold) return;
  const scope = currentScope();
  if (scope?.logs !== undefined) scope.logs.push(`${new Date().toISOString()} ${level.toUpperCase()} [${name}] ${message}`);
  record(level, name, version, scope?.requestId ?? '', message);
}

function format(values) {
  return values.length === 1 && typeof values[0] === 'string' ? values[0] : util.formatWithOptions(options, ...values);
}

/** Every other method of a console (table, time, group, …), through Node's own, made when first used. */
const RARE = ['assert', 'clear', 'count', 'countReset', 'dir', 'dirxml', 'group', 'groupCollapsed', 'groupEnd', 'table', 'time', 'timeEnd', 'timeLog', 'timeStamp', 'profile', 'profileEnd'];

function lineSink(write) {
  return new Writable({
    decodeStrings: false,
    write(text, _encoding, done) {
      write(String(text).replace(/\n$/, ''));
      done();
    },
  });
}

/**
 * A console that says who speaks.
 * @param {() => {name: string, version: number}} who
 */
export function makeConsole(who) {
  const say = (level) => (...values) => {
    if (RANK[level] < threshold) return;
    const { name, version } = who();
    emit(level, name, version, format(values));
  };
  const out = { log: say('info'), info: say('info'), debug: say('debug'), warn: say('warn'), error: say('error') };
  out.trace = (...values) => {
    const { name, version } = who();
    const trace = { name: 'Trace', message: format(values) };
    Error.captureStackTrace(trace, out.trace);
    emit('debug', name, version, trace.stack ?? trace.message);
  };
  let full;
  const rare = () => (full ??= new NodeConsole({ stdout: lineSink(out.info), stderr: lineSink(out.warn), inspectOptions: { colors: false } }));
  for (const method of RARE) out[method] = (...values) => rare()[method](...values);
  out.Console = NodeConsole;
  return out;
}

const NodeConsole = globalThis.console.Console;

/** Replaces the global console, which packages use: the scope says who speaks. */
export function installGlobalConsole() {
  const nobody = { name: '', version: 0 };
  const shared = makeConsole(() => currentScope() ?? nobody);
  for (const [method, call] of Object.entries(shared)) globalThis.console[method] = call;
  const streams = { stdout: shared.info, stderr: shared.warn };
  for (const [name, write] of Object.entries(streams)) {
    let sink;
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => (sink ??= lineSink(write)) });
  }
}
