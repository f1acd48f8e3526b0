// After vite: moves the inline start script into a file (the server allows no inline script), then writes `.br` and `.gz`
// beside every asset that gets smaller. It must fail when an inline script is left, or the console would not start.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const build = join(import.meta.dirname, '..', 'build');
const page = join(build, 'index.html');
const SMALLEST = 512;

function externalise() {
  let html = readFileSync(page, 'utf8');
  html = html.replace(/<script>([\s\S]*?)<\/script>/g, (_, code) => {
    const digest = createHash('sha256').update(code).digest('hex').slice(0, 10);
    const name = `_app/immutable/start.${digest}.js`;
    writeFileSync(join(build, name), code.trim() + '\n');
    return `<script src="/${name}"></script>`;
  });
  if (/<script(?![^>]*\bsrc=)/.test(html)) throw new Error('index.html still has an inline script; see scripts/finish-build.js');
  writeFileSync(page, html);
}

function* files(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else yield path;
  }
}

function compress(path) {
  if (!/\.(js|css|html|svg|json|txt|webmanifest)$/.test(path) || statSync(path).size < SMALLEST) return;
  const raw = readFileSync(path);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: raw.length };
  writeFileSync(`${path}.br`, brotliCompressSync(raw, { params }));
  writeFileSync(`${path}.gz`, gzipSync(raw, { level: 9 }));
}

externalise();
for (const path of [...files(build)]) compress(path);
