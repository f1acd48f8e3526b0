//! Bundles the two programs of light workspaces. The result is committed: an install needs no compiler, and a check
//! (`npm run build && git diff --exit-code ../../environments/vscode/light`) says when it has drifted.
import { copyFile, mkdir } from "node:fs/promises";
import { build } from "esbuild";

const out = new URL("../../environments/vscode/light/", import.meta.url).pathname;
const shared = { bundle: true, target: "es2022", charset: "utf8", legalComments: "none", minify: true, logLevel: "warning" };
await mkdir(`${out}extension`, { recursive: true });
await build({ ...shared, entryPoints: ["src/page.ts"], format: "iife", outfile: `${out}page.js` });
await build({
  ...shared,
  entryPoints: ["src/extension.ts"],
  format: "cjs",
  external: ["vscode"],
  outfile: `${out}extension/extension.js`,
});
for (const name of ["package.json", "package.nls.json", "package.nls.zh-cn.json"]) {
  await copyFile(`manifest/${name}`, `${out}extension/${name}`);
}
