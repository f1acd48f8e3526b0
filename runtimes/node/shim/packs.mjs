// Packs: all files that loading a package reads, with V8's code for each of them, in one file that was made when the package
// was installed (warm-packages). A package of a hundred files is then one read instead of a thousand small system calls.
// Modules stay what they are: one object, name, scope and cache entry per file, and stacks that name it and its lines.
// Without a pack, or for a file that is not in it, Node's own loader does what it always does.

const fs = process.getBuiltinModule('node:fs');
const { Module } = process.getBuiltinModule('node:module');
const path = process.getBuiltinModule('node:path');
const vm = process.getBuiltinModule('node:vm');

export const OPEN = '(function (exports, require, module, __filename, __dirname) { ';
export const CLOSE = '\n})';
export const INDEX = 'packs.json';

/** @type {Map<string, Record<string, string>>} folder → package name → file of its pack */
const indexes = new Map();
/** What is left of the packs that were opened. @type {Map<string, {bytes: Buffer, entry: Entry}>} by file name */
const files = new Map();
/** @type {Map<string, Record<string, string>>} file name → what it requires → file name */
const ways = new Map();
let hooked = false;

/** @typedef {{name: string, wide: boolean, at: number, length: number, code: number}} Entry the code follows the source */

/** Makes a package's pack known, if `folder` has one. */
export function openPack(folder, specifier) {
  const index = indexOf(folder);
  if (!Object.hasOwn(index, specifier)) return;
  const file = index[specifier];
  delete index[specifier];
  const bytes = read(path.join(folder, file));
  if (bytes === undefined) return;
  const start = 4 + bytes.readUInt32LE(0);
  const head = JSON.parse(bytes.utf8Slice(4, start));
  const body = bytes.subarray(start);
  for (const entry of head.files) files.set(entry.name, { bytes: body, entry });
  for (const [name, requests] of Object.entries(head.ways)) ways.set(name, { ...ways.get(name), ...requests });
  hook();
}

function indexOf(folder) {
  let index = indexes.get(folder);
  if (index === undefined) {
    const bytes = read(path.join(folder, INDEX));
    index = bytes === undefined ? {} : JSON.parse(bytes.utf8Slice());
    indexes.set(folder, index);
  }
  return index;
}

function read(file) {
  try {
    return fs.readFileSync(file);
  } catch {
    return undefined;
  }
}

function hook() {
  if (hooked) return;
  hooked = true;
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, parent, ...rest) {
    const known = rest[1] === undefined ? ways.get(parent?.filename) : undefined;
    if (known !== undefined && Object.hasOwn(known, request)) return known[request];
    return Reflect.apply(resolve, this, [request, parent, ...rest]);
  };
  const load = Module._extensions['.js'];
  Module._extensions['.js'] = function (module, filename) {
    const found = files.get(filename);
    if (found === undefined) return load(module, filename);
    // Loaded a second time (its cache entry was deleted) it comes from its own file.
    files.delete(filename);
    run(compile(found), module, filename);
    return undefined;
  };
}

function compile({ bytes, entry }) {
  const { at, length, code, wide, name } = entry;
  const source = wide ? bytes.ucs2Slice(at, at + length) : bytes.latin1Slice(at, at + length);
  return compilePacked(source, name, code === 0 ? undefined : bytes.subarray(at + length, at + length + code));
}

/** A module's wrapped source as a script. */
export function compilePacked(source, filename, cachedData) {
  return new vm.Script(source, { filename, columnOffset: -OPEN.length, cachedData, importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
}

// Named like Node's own, so that Node sees a package that requires, not this shim, and stacks leave it out.
const makeRequire = vm.runInThisContext('(module) => function require(request) { return module.require(request); }', { filename: 'node:internal/packs' });

/** Evaluates a module as Node does. */
export function run(script, module, filename) {
  const require = makeRequire(module);
  require.resolve = (request, options) => Module._resolveFilename(request, module, false, options);
  require.resolve.paths = (request) => Module._resolveLookupPaths(request, module);
  require.main = process.mainModule;
  require.extensions = Module._extensions;
  require.cache = Module._cache;
  Reflect.apply(script.runInThisContext(), module.exports, [module.exports, require, module, filename, path.dirname(filename)]);
}
