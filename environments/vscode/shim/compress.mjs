//! Compresses what browsers load, once, at install: the gateway then sends bytes as they lie on disk.
//! Must never change a file it compresses.
import { createReadStream, createWriteStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { constants, createBrotliCompress } from "node:zlib";

const WORTH = /\.(js|mjs|css|html|json|svg|wasm|ttf|tmLanguage)$/;
const SMALLEST = 1024;

async function* files(folder) {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else if (entry.isFile() && WORTH.test(entry.name)) yield path;
  }
}

async function compress(path) {
  const { size } = await stat(path);
  if (size < SMALLEST) return;
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 9,
    [constants.BROTLI_PARAM_LGWIN]: 22,
    [constants.BROTLI_PARAM_SIZE_HINT]: size,
  };
  await pipeline(createReadStream(path), createBrotliCompress({ params }), createWriteStream(`${path}.br`));
}

const root = process.argv[2];
const FOLDERS = [
  "out",
  "light",
  "extensions",
  "node_modules/@xterm",
  "node_modules/@vscode/iconv-lite-umd",
  "node_modules/@vscode/tree-sitter-wasm",
  "node_modules/@vscode/vscode-languagedetection",
  "node_modules/jschardet",
  "node_modules/katex",
  "node_modules/vscode-oniguruma",
  "node_modules/vscode-textmate",
];
const waiting = [];
for (const folder of FOLDERS) for await (const path of files(join(root, folder))) waiting.push(path);
waiting.reverse();
let done = 0;
async function work() {
  for (let path = waiting.pop(); path; path = waiting.pop()) {
    await compress(path);
    done += 1;
    if (done % 200 === 0) console.log(`compressed ${done} files`);
  }
}
await Promise.all([work(), work(), work()]);
console.log(`compressed ${done} files`);
