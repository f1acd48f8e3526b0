//! The session against a workspace that is cut off.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Session } from "../src/session.ts";

class Socket {
  static made: Socket[] = [];
  onopen = () => {};
  onclose = () => {};
  onmessage = (_: { data: unknown }) => {};
  sent: unknown[] = [];
  constructor() {
    Socket.made.push(this);
  }
  send(data: unknown) {
    this.sent.push(data);
  }
  close() {}
  say(message: unknown) {
    this.onmessage({ data: JSON.stringify(message) });
  }
}

beforeEach(() => {
  Socket.made = [];
  (globalThis as any).WebSocket = Socket;
});

const opened = async (number: number): Promise<Socket> => {
  while (!Socket.made[number]) await new Promise((next) => setTimeout(next, 1));
  const socket = Socket.made[number];
  socket.onopen();
  return socket;
};

test("a body comes before its answer, in pieces", async () => {
  const session = new Session("ws://x");
  const socket = await opened(0);
  const answer = session.request("fs.read", { path: "/a" });
  const frame = (text: string) => {
    const bytes = new Uint8Array(5 + text.length);
    bytes.set([1, 0, 0, 0, 1]);
    bytes.set(new TextEncoder().encode(text), 5);
    return bytes.buffer;
  };
  socket.onmessage({ data: frame("ab") });
  socket.onmessage({ data: frame("c") });
  socket.say({ id: 1, result: {} });
  assert.equal(new TextDecoder().decode((await answer).body), "abc");
});

test("after a cut, what may be done twice is asked again, and what may not fails", async () => {
  const session = new Session("ws://x");
  const first = await opened(0);
  const read = session.request("fs.stat", { path: "/a" });
  const rename = session.request("fs.rename", { from: "/a", to: "/b" }, { once: true });
  first.onclose();
  await assert.rejects(rename, { code: "session.lost" });
  const second = await opened(1);
  assert.equal(second.sent.length, 1);
  second.say({ id: 1, result: { type: "file" } });
  assert.equal((await read).result.type, "file");
});

test("an idle session says nothing by itself", async () => {
  new Session("ws://x");
  const socket = await opened(0);
  assert.deepEqual(socket.sent, []);
});
