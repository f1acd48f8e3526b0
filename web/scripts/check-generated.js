// Fails when the committed client no longer fits the description of the API: a stranger's console would call what is not there.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const committed = join(root, 'src/lib/api/generated');
const input = join(root, '../docs/reference/openapi.json');

if (!existsSync(input)) {
  console.error('docs/reference/openapi.json is missing: emit it with the program first, then run `npm run generate`.');
  process.exit(1);
}

const fresh = mkdtempSync(join(tmpdir(), 'darter-client-'));
try {
  execFileSync(process.execPath, [join(root, 'node_modules/@hey-api/openapi-ts/bin/run.js')], {
    cwd: root,
    env: { ...process.env, OPENAPI_OUT: fresh },
    stdio: 'pipe',
  });
  const list = (folder) => (existsSync(folder) ? readdirSync(folder, { recursive: true }).map(String).filter((name) => name.endsWith('.ts')).sort() : []);
  const names = [...new Set([...list(fresh), ...list(committed)])];
  const read = (folder, name) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : null);
  const drifted = names.filter((name) => read(fresh, name) !== read(committed, name));
  if (drifted.length) {
    console.error(`The generated client drifted from docs/reference/openapi.json: ${drifted.join(', ')}. Run \`npm run generate\` and commit.`);
    process.exitCode = 1;
  } else {
    console.log('the generated client fits the description of the API');
  }
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
