//! `git status` as it is read.
import assert from "node:assert/strict";
import { test } from "node:test";
import { read } from "../src/status.ts";

const records = [
  "# branch.oid 0123",
  "# branch.head main",
  "# branch.ab +2 -1",
  "1 M. N... 100644 100644 100644 a b staged file.txt",
  "1 .D N... 100644 100644 000000 a b gone.txt",
  "2 R. N... 100644 100644 100644 a b R100 new name.txt",
  "old name.txt",
  "u UU N... 100644 100644 100644 100644 a b c both.txt",
  "? fresh/file.txt",
  "",
];

test("each kind of change is found, and a rename's old name is no change of its own", () => {
  const status = read(records.join("\0"));
  assert.deepEqual([status.branch, status.ahead, status.behind], ["main", 2, 1]);
  assert.deepEqual(status.staged, [
    { path: "staged file.txt", letter: "M" },
    { path: "new name.txt", letter: "R" },
  ]);
  assert.deepEqual(status.changes, [
    { path: "gone.txt", letter: "D" },
    { path: "both.txt", letter: "!" },
    { path: "fresh/file.txt", letter: "U" },
  ]);
});

test("nothing at all is a repository without changes", () => {
  assert.deepEqual(read("").changes, []);
});
