// npm packages for functions: the app's own first, then the built-in ones, then Node's modules.
// Synchronous where possible (require), so that a package's start costs no turns of the event loop.

import { patchTls } from './egress.mjs';
import { openPack } from './packs.mjs';

const fs = process.getBuiltinModule('node:fs');
const { createRequire } = process.getBuiltinModule('node:module');
const path = process.getBuiltinModule('node:path');
const util = process.getBuiltinModule('node:util');
const vm = process.getBuiltinModule('node:vm');

let own;
let ownImport;
let modules;
const BUILT_IN = path.join(process.env.DARTER_RUNTIME_MODULES || '/runtime/node_modules', '..', 'index.js');
const builtIn = createRequire(BUILT_IN);
const builtInImport = importerAt(BUILT_IN);
const BUILT_IN_PACKS = path.join(path.dirname(BUILT_IN), 'cache');
const namespaces = new Map();
let packs;

function importerAt(filename) {
  return vm.runInThisContext('(specifier) => import(specifier)', { filename, importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
}

/** Where the app's packages are. @param {string | null} modulePath a folder with `node_modules` */
export function setModulePath(modulePath) {
  if (modulePath === null) return;
  modules = path.join(modulePath, 'node_modules');
  packs = path.join(modulePath, '.cache');
  own = createRequire(`${modulePath}/index.js`);
  ownImport = importerAt(`${modulePath}/index.js`);
}

/** A built-in package, for the shim itself. */
export function builtInPackage(name) {
  openPack(BUILT_IN_PACKS, name);
  return builtIn(name);
}

export function packageRequire() {
  return own ?? builtIn;
}

/** The loaders to try, the app's first; where the package is not found at all the next one is asked. */
function loaderFor(specifier) {
  if (own !== undefined) {
    openPack(packs, specifier);
    try {
      own.resolve(specifier);
      return { require: own, import: ownImport };
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') return { require: own, import: ownImport };
    }
  }
  openPack(BUILT_IN_PACKS, specifier);
  return { require: builtIn, import: builtInImport };
}

function explain(error, specifier) {
  const missing = error?.code === 'MODULE_NOT_FOUND' || error?.code === 'ERR_MODULE_NOT_FOUND';
  if (!missing || !String(error.message).includes(`'${specifier.split('/')[0]}`)) return error;
  const wrapped = new Error(`Cannot find package "${specifier}". Add it to the app's dependencies, or check its name.`);
  wrapped.code = 'MODULE_NOT_FOUND';
  return wrapped;
}

export function requirePackage(specifier) {
  patchTls();
  try {
    return loaderFor(specifier).require(specifier);
  } catch (error) {
    throw explain(error, specifier);
  }
}

/** The namespace of a package, as an `import` sees it. */
export async function importPackage(specifier) {
  const known = namespaces.get(specifier);
  if (known !== undefined) return known;
  patchTls();
  const loader = loaderFor(specifier);
  const namespace = await loadNamespace(loader, specifier);
  namespaces.set(specifier, namespace);
  return namespace;
}

async function loadNamespace(loader, specifier) {
  try {
    return asNamespace(loader.require(specifier));
  } catch (error) {
    if (error?.code !== 'ERR_REQUIRE_ASYNC_MODULE' && error?.code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED' && error?.code !== 'ERR_REQUIRE_ESM') throw explain(error, specifier);
  }
  try {
    return await loader.import(specifier);
  } catch (error) {
    throw explain(error, specifier);
  }
}

/** CommonJS exports as a namespace: like esModuleInterop, and callable when the exports are. */
function asNamespace(exports) {
  if (util.types.isModuleNamespaceObject(exports)) return exports;
  const type = typeof exports;
  if ((type !== 'object' || exports === null) && type !== 'function') return { default: exports };
  if (exports.__esModule && exports.default !== undefined) return exports;
  const namespace = type === 'function' ? callable(exports) : Object.create(null);
  for (const key of Object.keys(exports)) {
    if (key !== 'default') Object.defineProperty(namespace, key, { enumerable: true, configurable: true, get: () => exports[key] });
  }
  namespace.default = exports;
  return namespace;
}

function callable(target) {
  function namespace(...values) {
    return new.target === undefined ? Reflect.apply(target, this, values) : Reflect.construct(target, values);
  }
  Object.setPrototypeOf(namespace, target);
  return namespace;
}

/** The folder of an installed package, the app's first. `from` says whose it is. */
export function findPackage(name) {
  if (!/^(?:@[\w.~-]+\/)?[\w.~-]+$/.test(name) || name.startsWith('.')) return undefined;
  for (const [from, folder] of [['custom', modules], ['node', path.join(path.dirname(BUILT_IN), 'node_modules')]]) {
    const root = folder === undefined ? undefined : path.join(folder, name);
    if (root !== undefined && fs.existsSync(path.join(root, 'package.json'))) return { root, from };
  }
  return undefined;
}
