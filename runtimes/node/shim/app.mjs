// The app that this process serves: its functions, limits and environment. One app per process, for ever.

import { ModuleGraph } from './modules.mjs';
import { configureConsole } from './console.mjs';

const DRAFT_LIFE_MS = 60_000;
const MAX_PINS = 32;
const DEFAULT_REQUEST_BYTES = 10 << 20;

/** The process's own variables (without the proxy's: see egress), kept when the app's are replaced. */
let own;

export const app = {
  id: '',
  secret: '',
  modulePath: /** @type {string | null} */ (null),
  requestBytes: DEFAULT_REQUEST_BYTES,
  /** @type {ModuleGraph} */
  graph: new ModuleGraph(),
  /** @type {Map<string, import('./modules.mjs').Module>} by id */
  drafts: new Map(),
  /** @type {Map<string, import('./modules.mjs').Module>} by `name@version`, oldest first */
  pins: new Map(),
  /** Set once `__init__` has run. */
  ready: false,
};

/** Replaces the app's variables in `process.env`. */
export function setEnvironment(env) {
  own ??= { ...process.env };
  const fixed = { APPID: app.id, APP_ID: app.id, SERVER_SECRET: app.secret };
  const next = { ...own, ...env, ...fixed };
  for (const name of Object.keys(process.env)) if (!Object.hasOwn(next, name)) delete process.env[name];
  for (const [name, value] of Object.entries(next)) if (process.env[name] !== value) process.env[name] = value;
  configureConsole(process.env);
  const limit = parseBytes(process.env.REQUEST_LIMIT_SIZE);
  app.requestBytes = Math.min(app.limitBytes ?? DEFAULT_REQUEST_BYTES, limit ?? Number.MAX_SAFE_INTEGER);
  app.graph.cached = process.env.DISABLE_MODULE_CACHE !== 'true';
}

/** `10mb` → bytes; undefined when it is not a size. */
export function parseBytes(text) {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(b|kb|mb|gb)?\s*$/i.exec(text ?? '');
  if (match === null) return undefined;
  const unit = { b: 1, kb: 1 << 10, mb: 1 << 20, gb: 1 << 30 }[(match[2] ?? 'b').toLowerCase()];
  return Math.floor(Number(match[1]) * unit);
}

export function addDraft(id, definition) {
  app.drafts.set(id, app.graph.detached(definition));
  setTimeout(() => app.drafts.delete(id), DRAFT_LIFE_MS).unref();
}

export function addPin(definition) {
  const key = `${definition.name}@${definition.version}`;
  app.pins.delete(key);
  app.pins.set(key, app.graph.detached(definition));
  if (app.pins.size > MAX_PINS) app.pins.delete(app.pins.keys().next().value);
}

/** The module that a pin names, or undefined when it is not (or no longer) here. */
export function pinned(pin, name) {
  if (pin.startsWith('draft:')) return app.drafts.get(pin.slice(6));
  const key = `${name}@${pin}`;
  const module = app.pins.get(key);
  if (module === undefined) {
    const live = app.graph.lookup(name);
    return live !== undefined && String(live.version) === pin ? live : undefined;
  }
  app.pins.delete(key);
  app.pins.set(key, module);
  return module;
}
