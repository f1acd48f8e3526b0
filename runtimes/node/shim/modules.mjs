// Functions as modules: compile, import each other and npm packages, live between calls, and be replaced one at a time.
//
//   new ──load──► loading ──► ready          a publish puts a fresh `new` module in the place of the changed one
//                    └──────► new (failed)   and of every module that depends on it; calls in flight keep the old ones
//
// It must never run a module's body twice for one version, and never wait for a module that waits for it.

import { makeConsole } from './console.mjs';
import { importPackage, requirePackage, packageRequire } from './packages.mjs';
import { locate, registerSource } from './errors.mjs';
import { scopes } from './scope.mjs';

const path = process.getBuiltinModule('node:path');
const vm = process.getBuiltinModule('node:vm');

const PARAMETERS = '__import,__dynamic_import,__exports,__meta,require,module,exports,console,__filename,__dirname,__done';
const OPEN = `(function(${PARAMETERS}){return async function(){`;
const SDK = new Set(['@/cloud-sdk', '@lafjs/cloud', '@darter/cloud']);

/** @typedef {{name: string, version: number, code: string, map: string | null, methods: string[], imports: string[]}} Definition */

export class Module {
  /** @param {ModuleGraph} graph @param {Definition} definition */
  constructor(graph, definition) {
    this.graph = graph;
    this.name = definition.name;
    this.version = definition.version;
    this.definition = definition;
    this.methods = Array.isArray(definition.methods) ? definition.methods : [];
    /** @type {'new' | 'loading' | 'ready'} */
    this.state = 'new';
    this.loading = undefined;
    /** Names of the functions that this one has imported. */
    this.dependencies = new Set();
    /** Modules whose loading this one waits for. */
    this.waitingFor = new Set();
    this.exports = undefined;
    this.main = undefined;
    this.fetch = undefined;
    this.origin = `${definition.name}\n${definition.version}`;
  }

  /** Compiles and evaluates once. */
  load() {
    if (this.state === 'ready') return this;
    this.loading ??= this.evaluate();
    return this.loading;
  }

  async evaluate() {
    this.state = 'loading';
    try {
      const scope = { requestId: '', name: this.name, version: this.version, logs: scopes.getStore()?.logs };
      await scopes.run(scope, () => this.start());
      this.finish();
      return this;
    } catch (error) {
      this.state = 'new';
      this.loading = undefined;
      throw error;
    }
  }

  /** Throws a SyntaxError when the code cannot be compiled. */
  compile() {
    return (this.wrapper ??= this.compileNow());
  }

  compileNow() {
    const { name, version, code, map } = this.definition;
    const filename = registerSource(name, version, map);
    const source = `${OPEN}${code}\n;__done();}})`;
    try {
      const script = new vm.Script(source, { filename, columnOffset: -OPEN.length, importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
      return script.runInThisContext();
    } catch (error) {
      throw locate(error, filename);
    }
  }

  start() {
    const wrapper = this.compile();
    const names = Object.create(null, { [Symbol.toStringTag]: { value: 'Module' }, __esModule: { value: true } });
    const commonjs = { exports: {}, id: this.name, filename: `${this.name}.ts`, loaded: false };
    this.namespace = names;
    this.commonjs = commonjs;
    const load = (specifier) => this.import(specifier, true);
    const loadLater = (specifier) => this.import(String(specifier), false);
    const require = Object.assign((specifier) => this.require(specifier), { resolve: (specifier) => packageRequire().resolve(specifier), cache: {}, main: undefined });
    const file = `/app/functions/${this.name}.ts`;
    const meta = { url: `file://${file}`, filename: file, dirname: path.posix.dirname(file), main: false, env: process.env };
    const own = makeConsole(() => this);
    const body = wrapper(load, loadLater, names, meta, require, commonjs, commonjs.exports, own, file, meta.dirname, () => this.finish());
    return body();
  }

  /** Called when the body's last statement has run. */
  finish() {
    if (this.state === 'ready') return;
    this.exports = merge(this.namespace, this.commonjs.exports);
    const entry = this.exports.default;
    if (typeof entry === 'function') this.main = entry;
    else if (typeof entry?.fetch === 'function') this.serveFetch(entry);
    else if (typeof this.exports.main === 'function') this.main = this.exports.main;
    else if (typeof entry?.default === 'function') this.main = entry.default;
    this.state = 'ready';
    this.waitingFor.clear();
  }

  /** `export default { fetch }`: the web style. */
  serveFetch(entry) {
    this.fetch = entry;
    this.main = async (context) => (await import('./fetch.mjs')).callFetch(entry, context);
  }

  async import(specifier, isStatic) {
    if (SDK.has(specifier)) return import('./sdk/cloud.mjs');
    const name = functionName(specifier, this.name);
    if (name === undefined) return importPackage(specifier);
    const target = this.dependency(name, specifier);
    if (target.state === 'ready') return target.exports;
    if (!isStatic || this.state === 'ready') return (await target.load()).exports;
    this.refuseCycle(target);
    this.waitingFor.add(target);
    try {
      return (await target.load()).exports;
    } finally {
      this.waitingFor.delete(target);
    }
  }

  require(specifier) {
    if (SDK.has(specifier)) return sdkNow();
    const name = functionName(specifier, this.name);
    if (name === undefined) return requirePackage(specifier);
    const target = this.dependency(name, specifier);
    if (target.state === 'new') {
      this.waitingFor.add(target);
      // A body without imports of its own ends before load() returns.
      target.load().catch(() => {}).finally(() => this.waitingFor.delete(target));
    } else if (target.state === 'loading') this.refuseCycle(target);
    if (target.state !== 'ready') throw new Error(`require("${specifier}") in ${this.name}: that function is still loading. Use import instead of require.`);
    return target.exports;
  }

  dependency(name, specifier) {
    this.dependencies.add(name);
    const target = this.graph.lookup(name);
    if (target === undefined) throw new Error(`${this.name} imports "${specifier}", but this app has no published function named "${name}".`);
    return target;
  }

  refuseCycle(target) {
    const way = target === this ? [this] : findWay(target, this, new Set());
    if (way === undefined) return;
    throw new Error(`circular dependency detected: ${[...way, target].map((module) => module.name).join(' -> ')}`);
  }
}

/** The chain of waits that leads from one module to another. */
function findWay(from, to, seen) {
  if (from === to) return [from];
  seen.add(from);
  for (const next of from.waitingFor) {
    if (seen.has(next)) continue;
    const rest = findWay(next, to, seen);
    if (rest !== undefined) return [from, ...rest];
  }
  return undefined;
}

/** What a module offers: its ES exports, or what it put on `module.exports`. */
function merge(namespace, commonjs) {
  const plain = typeof commonjs === 'object' && commonjs !== null;
  if (plain && Reflect.ownKeys(commonjs).length === 0) return namespace;
  if (!plain || !commonjs.__esModule) if (!('default' in namespace) && !(plain && 'default' in commonjs)) namespace.default = commonjs;
  if (commonjs !== null && (plain || typeof commonjs === 'function')) {
    for (const key of Object.keys(commonjs)) {
      if (!(key in namespace)) Object.defineProperty(namespace, key, { enumerable: true, configurable: true, get: () => commonjs[key] });
    }
  }
  return namespace;
}

/** The function that a specifier means inside the function `from`; undefined when it means a package. */
export function functionName(specifier, from) {
  if (specifier.startsWith('@/')) return clean(specifier.slice(2));
  if (specifier.startsWith('./') || specifier.startsWith('../')) return clean(path.posix.join(path.posix.dirname(from), specifier));
  return undefined;
}

function clean(name) {
  return path.posix.normalize(name).replace(/\.(?:ts|js|mjs|cjs)$/, '');
}

let sdkModule;
function sdkNow() {
  sdkModule ??= require('./sdk/cloud.mjs');
  return sdkModule;
}

/** All functions of the app. */
export class ModuleGraph {
  constructor() {
    /** @type {Map<string, Module>} */
    this.modules = new Map();
    this.cached = true;
  }

  lookup(name) {
    return this.modules.get(name);
  }

  /** @param {Definition} definition */
  publish(definition) {
    const module = new Module(this, definition);
    this.modules.set(definition.name, module);
    this.resetDependents(definition.name);
    return module;
  }

  remove(name) {
    this.modules.delete(name);
    this.resetDependents(name);
  }

  /** A module outside of the graph that sees the graph's functions. */
  detached(definition) {
    return new Module(this, definition);
  }

  /** Fresh `new` modules for all that depend on `name`, directly or not. */
  resetDependents(name) {
    const changed = [name];
    const reset = new Set(changed);
    for (const current of changed) {
      for (const module of this.modules.values()) {
        if (reset.has(module.name) || !module.dependencies.has(current)) continue;
        reset.add(module.name);
        changed.push(module.name);
        this.modules.set(module.name, new Module(this, module.definition));
      }
    }
  }

  /** The same functions with no state: for one call with the module cache off. */
  fresh() {
    const graph = new ModuleGraph();
    for (const module of this.modules.values()) graph.modules.set(module.name, new Module(graph, module.definition));
    return graph;
  }
}
