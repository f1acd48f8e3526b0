// Measures the runtime against a bare `node:http` server on the same machine: throughput with many requests in flight,
// latency with one, start, load, memory. Prints numbers; judges nothing.
// Run: bundle.sh <folder> <esbuild>, then DARTER_SHIM=<folder> node bench/driver.mjs

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { Runtime, frame, fn, requestPayload, TYPE, FLAGS } from '../test/platform.mjs';

const HELLO = fn('hello', 'async function (ctx) { return { hello: "world" } }');
const HEADERS = [['host', 'abc123.darter-apps.localhost:7070'], ['user-agent', 'oha/1.4'], ['accept', '*/*'], ['accept-encoding', 'gzip'], ['x-forwarded-for', '127.0.0.1'], ['x-forwarded-proto', 'http'], ['x-forwarded-host', 'abc123.darter-apps.localhost:7070']];
const SECONDS = Number(process.env.SECONDS ?? 3);

function cpuMs(pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function memory(pid) {
  const text = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const of = (name) => Math.round(Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)[1]) / 102.4) / 10;
  return { rssMB: of('Rss'), pssMB: of('Pss'), privateMB: of('Private_Dirty') };
}

/** Keeps `depth` requests in flight; counts answers by their fixed framing. */
function drive(connect, makeRequest, countAnswers, depth, pid) {
  return new Promise((resolve) => {
    const socket = connect();
    let done = 0;
    const begin = performance.now();
    const cpu = cpuMs(pid);
    let finished = false;
    socket.write(makeRequest(depth));
    socket.on('data', (chunk) => {
      const answers = countAnswers(chunk);
      done += answers;
      if (finished) return;
      if (performance.now() - begin > SECONDS * 1000) {
        finished = true;
        const seconds = (performance.now() - begin) / 1000;
        const used = cpuMs(pid) - cpu;
        resolve({ perSecond: Math.round(done / seconds), cpuUsEach: Math.round((used * 10_000) / done) / 10 });
        setTimeout(() => socket.destroy(), 200);
        return;
      }
      if (answers > 0) socket.write(makeRequest(answers));
    });
  });
}

function wireCounter() {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    let data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let count = 0;
    let at = 0;
    while (data.length - at >= 9) {
      const length = data.readUInt32LE(at);
      if (data.length - at < 9 + length) break;
      if (data[at + 4] === TYPE.RESPONSE) count += 1;
      at += 9 + length;
    }
    rest = data.subarray(at);
    return count;
  };
}

function wireRequests(target) {
  let id = 1;
  const one = frame(TYPE.REQUEST, 0, requestPayload({ target, requestId: '0193f1b2-7c1d-7aaa-8bbb-ccccdddd0001', headers: HEADERS }));
  return (count) => {
    const all = Buffer.concat(Array.from({ length: count }, () => one));
    for (let i = 0; i < count; i += 1, id += 2) all.writeUInt32LE(id, i * one.length + 5);
    return all;
  };
}

const HTTP_SERVER = `require('http').createServer((q,s)=>{s.setHeader('content-type','application/json');s.end(JSON.stringify({hello:'world'}))}).listen('/tmp/darter-bench-${process.pid}.sock',()=>console.log('up'))`;

async function startHttp() {
  const child = spawn(process.execPath, [...FLAGS, '-e', HTTP_SERVER], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  return child;
}

function httpRequests() {
  const one = `GET /hello HTTP/1.1\r\n${HEADERS.map(([name, value]) => `${name}: ${value}`).join('\r\n')}\r\n\r\n`;
  return (count) => one.repeat(count);
}

function httpCounter() {
  let tail = '';
  return (chunk) => {
    const text = tail + chunk.latin1Slice();
    const count = text.split('HTTP/1.1 200').length - 1;
    tail = text.slice(-11).includes('HTTP/1.1 200') ? '' : text.slice(-11);
    return count;
  };
}

/** 50 keep-alive connections with one request each: how a gateway drives node:http. */
function driveMany(path, depth, pid) {
  return new Promise((resolve) => {
    const request = httpRequests()(1);
    let done = 0;
    const begin = performance.now();
    const cpu = cpuMs(pid);
    let over = false;
    const sockets = Array.from({ length: depth }, () => {
      const socket = net.connect(path);
      socket.on('data', () => {
        done += 1;
        if (!over) socket.write(request);
      });
      socket.write(request);
      return socket;
    });
    setTimeout(() => {
      over = true;
      const seconds = (performance.now() - begin) / 1000;
      resolve({ perSecond: Math.round(done / seconds), cpuUsEach: Math.round(((cpuMs(pid) - cpu) * 10_000) / done) / 10 });
      for (const socket of sockets) socket.destroy();
    }, SECONDS * 1000);
  });
}

function latency(socket, request, answered, rounds = 4000) {
  return new Promise((resolve) => {
    const times = [];
    let since = 0n;
    const next = () => {
      since = process.hrtime.bigint();
      socket.write(request(1));
    };
    socket.on('data', (chunk) => {
      if (answered(chunk) === 0) return;
      times.push(Number(process.hrtime.bigint() - since) / 1000);
      if (times.length < rounds) setImmediate(next);
      else {
        const sorted = times.slice(500).sort((a, b) => a - b);
        resolve({ p50us: Math.round(sorted[sorted.length >> 1]), p99us: Math.round(sorted[Math.floor(sorted.length * 0.99)]) });
      }
    });
    next();
  });
}

async function starts() {
  const hello = [];
  const loaded = [];
  const first = [];
  let idle;
  for (let i = 0; i < 11; i += 1) {
    const runtime = await Runtime.start();
    const event = performance.now();
    hello.push(event - runtime.startedAt);
    await new Promise((resolve) => setTimeout(resolve, 100));
    idle = memory(runtime.child.pid);
    const wire = await runtime.connect();
    const since = performance.now();
    const answer = wire.request({ target: '/hello' });
    const ready = runtime.load([HELLO]);
    await answer;
    first.push(performance.now() - since);
    loaded.push((await ready).at - since);
    await runtime.stop();
  }
  const middle = (list) => Math.round(list.sort((a, b) => a - b)[list.length >> 1] * 10) / 10;
  return { helloMs: middle(hello), loadedMs: middle(loaded), firstAnswerMs: middle(first), idle };
}

console.log('start', JSON.stringify(await starts()));
const runtime = await Runtime.start();
await runtime.load([HELLO]);
const http = await startHttp();
const httpPath = `/tmp/darter-bench-${process.pid}.sock`;
for (const depth of [1, 16, 64, 256]) {
  const ours = await drive(() => net.connect(runtime.address), wireRequests('/hello'), wireCounter(), depth, runtime.child.pid);
  const theirs = await driveMany(httpPath, depth, http.pid);
  console.log(`depth ${depth}`, 'wire', JSON.stringify(ours), 'node:http', JSON.stringify(theirs), 'by time', (ours.perSecond / theirs.perSecond).toFixed(2), 'by cpu', (theirs.cpuUsEach / ours.cpuUsEach).toFixed(2));
}
console.log('latency wire', JSON.stringify(await latency(net.connect(runtime.address), wireRequests('/hello'), wireCounter())));
console.log('latency node:http', JSON.stringify(await latency(net.connect(httpPath), httpRequests(), httpCounter())));
console.log('memory after', JSON.stringify(memory(runtime.child.pid)));
http.kill();
await runtime.stop();
process.exit(0);
