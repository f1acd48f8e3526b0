//! Language servers as far as they are pure: their framing under any bytes, what is taken out of their messages, when one
//! is started again, and how a program is watched.
import assert from "node:assert/strict";
import { test } from "node:test";
import { framed, LONGEST, Unframer } from "../src/language/framing.ts";
import { Restarts } from "../src/language/restarts.ts";
import { tame } from "../src/language/tame.ts";
import { Programs } from "../src/programs.ts";
import { joined } from "../src/session.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("what is framed is read again, however it is cut", () => {
  const messages = ["{}", "", '{"ä":"\\r\\n\\r\\n😀"}', "x".repeat(100_000)];
  const wire = joined(...messages.map(framed));
  for (const size of [1, 2, 3, 7, 19, 20, 64, 4_099, wire.length]) {
    const unframer = new Unframer();
    const seen: string[] = [];
    for (let at = 0; at < wire.length; at += size) seen.push(...unframer.take(wire.subarray(at, at + size)));
    assert.deepEqual(seen, messages, `in pieces of ${size}`);
  }
});

test("other headers, in other words, are passed over", () => {
  const head = "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nCONTENT-LENGTH:  2 \r\n\r\n";
  assert.deepEqual(new Unframer().take(bytes(`${head}{}`)), ["{}"]);
});

test("what no server says is refused before anything is kept for it", () => {
  for (const wire of [
    "Content-Length: 99999999999\r\n\r\n{}",
    `Content-Length: ${LONGEST + 1}\r\n\r\n`,
    "Content-Length: -1\r\n\r\n{}",
    "Content-Length: 2e1\r\n\r\n{}",
    "X-Content-Length: 2\r\n\r\n{}",
    "Content-Length 2\r\n\r\n{}",
    "\r\n\r\n",
    "debugging is on\n".repeat(1_000),
    `Content-Length: 2\r\n${"x".repeat(10_000)}`,
  ]) {
    assert.throws(() => new Unframer().take(bytes(wire)), `${wire.slice(0, 40)}`);
  }
  assert.throws(() => new Unframer().take(joined(bytes("Content-Length: 2\r\n\r\n"), new Uint8Array([0xff, 0xff]))));
});

test("any bytes are messages or a refusal, and nothing grows", () => {
  let seed = 7;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  for (let round = 0; round < 2_000; round += 1) {
    const wire = joined(...Array.from({ length: 4 }, () => framed("{}".repeat(random(9)))));
    for (let hits = random(4); hits > 0; hits -= 1) wire[random(wire.length)] = random(256);
    const unframer = new Unframer();
    try {
      for (let at = 0; at < wire.length; at += 5) {
        for (const message of unframer.take(wire.subarray(at, at + 5))) assert(message.length <= wire.length);
      }
    } catch (error) {
      assert(error instanceof Error);
    }
  }
});

test("a server that asks for ever is not asked, and what never changes is not watched", () => {
  const answer = { id: 1, result: { capabilities: { diagnosticProvider: { workspaceDiagnostics: true }, hoverProvider: true } } };
  assert.deepEqual(tame(answer, "/home/user").result.capabilities, {
    diagnosticProvider: { workspaceDiagnostics: false },
    hoverProvider: true,
  });
  const watch = (...watchers: unknown[]) => ({
    method: "client/registerCapability",
    params: { registrations: [{ id: "1", method: "workspace/didChangeWatchedFiles", registerOptions: { watchers } }] },
  });
  const left = (...watchers: unknown[]) =>
    tame(watch(...watchers), "/home/user").params.registrations[0].registerOptions.watchers;
  const kept = ["**/*.py", "/home/user/**/*", { baseUri: "file:///home/user", pattern: "**" }, {}].map((globPattern) => ({ globPattern }));
  const dropped = ["/env/**/*", "/home/users/**", { baseUri: { uri: "file:///usr/lib" }, pattern: "**" }].map((globPattern) => ({ globPattern }));
  assert.deepEqual(left(...kept, ...dropped), kept);
  for (const other of [{ id: 2, result: null }, { method: "x" }, { method: "client/registerCapability", params: {} }]) {
    assert.deepEqual(tame(other, "/home/user"), other);
  }
});

test("it is started again three times, later each time, and anew once it has lived", () => {
  const restarts = new Restarts();
  assert.deepEqual([1, 2, 3, 4].map(() => restarts.next(10)), [1_000, 4_000, 15_000, undefined]);
  assert.equal(restarts.next(600_000), 1_000);
  assert.equal(restarts.next(10), 4_000);
  restarts.again();
  assert.equal(restarts.next(10), 1_000);
});

test("a watcher hears all of a program, what came before it looked included, and its end once", () => {
  const programs = new Programs({} as any);
  const heard: string[] = [];
  const watcher = {
    output: (stream: string, output: Uint8Array) => heard.push(`${stream} ${new TextDecoder().decode(output)}`),
    ended: (last: any) => heard.push(`ended ${last?.why}`),
  };
  programs.output(1, "stdout", bytes("a"));
  programs.watch(1, watcher);
  programs.output(1, "stderr", bytes("b"));
  programs.ended({ program: 1, exit: null, why: "idle" });
  programs.output(2, "stdout", bytes("c"));
  programs.ended({ program: 2, exit: 0 });
  programs.watch(2, watcher);
  programs.watch(3, watcher);
  programs.lost();
  programs.lost();
  assert.deepEqual(heard, ["stdout a", "stderr b", "ended idle", "stdout c", "ended undefined", "ended undefined"]);
});
