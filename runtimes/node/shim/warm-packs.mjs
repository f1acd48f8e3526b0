// Makes packs (packs.mjs): loads packages as they will be loaded, and keeps every CommonJS file that takes part, with V8's
// code for all that has run. ES modules are left to Node.

import { CLOSE, compilePacked, INDEX, OPEN, run } from './packs.mjs';

const fs = process.getBuiltinModule('node:fs');
const { Module } = process.getBuiltinModule('node:module');
const path = process.getBuiltinModule('node:path');

/** Most bytes of one pack: what is larger is read file by file. */
const MAX_PACK = 64 << 20;

/** @type {Map<string, {source: string, script: import('node:vm').Script}>} */
const files = new Map();
/** @type {Map<string, Record<string, string>>} */
const ways = new Map();

/** From now on every CommonJS file that is loaded is noted. */
export function startRecording() {
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, parent, ...rest) {
    const found = Reflect.apply(resolve, this, [request, parent, ...rest]);
    if (rest[1] === undefined && parent?.filename && path.isAbsolute(found)) {
      if (!ways.has(parent.filename)) ways.set(parent.filename, Object.create(null));
      ways.get(parent.filename)[request] = found;
    }
    return found;
  };
  const load = Module._extensions['.js'];
  Module._extensions['.js'] = function (module, filename) {
    const file = isEsModule(filename) ? undefined : note(filename);
    if (file === undefined) return load(module, filename);
    return run(file.script, module, filename);
  };
}

function note(filename) {
  try {
    const text = fs.readFileSync(filename, 'utf8').replace(/^\uFEFF/, '').replace(/^#!/, '//');
    const source = OPEN + text + CLOSE;
    const file = { source, script: compilePacked(source, filename, undefined) };
    files.set(filename, file);
    return file;
  } catch {
    // Not CommonJS after all, or no JavaScript: Node says what is wrong with it.
    return undefined;
  }
}

function isEsModule(filename) {
  if (filename.endsWith('.cjs')) return false;
  for (let folder = path.dirname(filename); folder !== path.dirname(folder); folder = path.dirname(folder)) {
    if (path.basename(folder) === 'node_modules') return false;
    try {
      return JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')).type === 'module';
    } catch {
      // The next folder up may have one.
    }
  }
  return false;
}

/** Writes the packs of these packages, as required from the file `from`, into `folder`. */
export function writePacks(folder, from, names) {
  const indexFile = path.join(folder, INDEX);
  const index = fs.existsSync(indexFile) ? JSON.parse(fs.readFileSync(indexFile, 'utf8')) : {};
  for (const name of names) {
    const entry = ways.get(from)?.[name];
    if (entry === undefined || !files.has(entry)) continue;
    const pack = packOf(from, name, entry);
    if (pack.length > MAX_PACK) continue;
    index[name] = `${name.replaceAll('/', '+')}.pack`;
    fs.writeFileSync(path.join(folder, index[name]), pack, { mode: 0o644 });
  }
  fs.writeFileSync(indexFile, JSON.stringify(index), { mode: 0o644 });
}

function packOf(from, name, entry) {
  const head = { files: [], ways: { [from]: { [name]: entry } } };
  const pieces = [];
  let at = 0;
  for (const filename of reachable(entry)) {
    const { source, script } = files.get(filename);
    // biome-ignore lint: this looks for what does not fit into one byte
    const wide = /[^\x00-\xff]/.test(source);
    const bytes = Buffer.from(source, wide ? 'ucs2' : 'latin1');
    const code = script.createCachedData();
    head.files.push({ name: filename, wide, at, length: bytes.length, code: code.length });
    if (ways.has(filename)) head.ways[filename] = ways.get(filename);
    // V8 wants its code at a multiple of eight, and wide text begins at one of two.
    const end = bytes.length + code.length;
    pieces.push(bytes, code, Buffer.alloc(-end & 7));
    at += end + (-end & 7);
  }
  const text = Buffer.from(JSON.stringify(head));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(text.length);
  return Buffer.concat([size, text, ...pieces]);
}

/** The noted files that a file leads to, itself first. */
function reachable(entry) {
  const found = new Set([entry]);
  for (const filename of found) {
    for (const next of Object.values(ways.get(filename) ?? {})) if (files.has(next)) found.add(next);
  }
  return found;
}
