//! Bundles the programs of light workspaces. The result is committed: an install needs no compiler, and
//! `make test` says when it has drifted, by a build into another folder (`node build.mjs FOLDER`).
import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const out = process.argv[2] ? `${process.argv[2]}/` : new URL("../../environments/vscode/light/", import.meta.url).pathname;
const shared = { bundle: true, target: "es2022", charset: "utf8", legalComments: "none", minify: true, logLevel: "warning" };
await mkdir(`${out}extension`, { recursive: true });
await build({ ...shared, entryPoints: ["src/page.ts"], format: "iife", outfile: `${out}page.js` });
const used = new Set();
for (const [entry, name] of [["extension", "extension"], ["language/servers", "language"]]) {
  const { metafile } = await build({
    ...shared,
    metafile: true,
    entryPoints: [`src/${entry}.ts`],
    format: "cjs",
    external: ["vscode"],
    conditions: ["browser"],
    outfile: `${out}extension/${name}.js`,
  });
  for (const file of Object.keys(metafile.inputs)) used.add(/^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1]);
}
// What others wrote comes with their licenses.
used.delete(undefined);
const licenses = [];
for (const name of [...used].sort()) {
  const file = (await readdir(`node_modules/${name}`)).find((one) => /^licen[cs]e/i.test(one));
  const text = await readFile(`node_modules/${name}/${file}`, "utf8");
  licenses.push(`${name}\n\n${text.replaceAll("\r", "").trim()}\n`);
}
await writeFile(`${out}extension/LICENSES.txt`, licenses.join(`\n${"-".repeat(80)}\n\n`));
for (const name of ["package.json", "package.nls.json", "package.nls.zh-cn.json"]) {
  await copyFile(`manifest/${name}`, `${out}extension/${name}`);
}
