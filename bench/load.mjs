// The loads: wrk for throughput and low-load latency, one precise raw client for single requests,
// and the other side of the comparison: nginx in front of a bare node:http server.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, now, sleep } from './server.mjs'

/** Requests per second and the median latency in microseconds of a wrk run. */
export function wrk(url, host, { connections, seconds }) {
  const run = spawnSync('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-H', `Host: ${host}`, url])
  const text = String(run.stdout)
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(text)
  if (!rate) throw new Error(`wrk: ${text} ${run.stderr}`)
  if (/Non-2xx/.test(text)) throw new Error(`wrk got answers that were no success:\n${text}`)
  const [, value, unit] = /50%\s+([\d.]+)(us|ms|s)/.exec(text)
  return { rate: Number(rate[1]), p50: Number(value) * { us: 1, ms: 1e3, s: 1e6 }[unit] }
}

/** One GET on a connection of its own. Milliseconds until the whole answer is here. */
export function get(port, host, path, headers = {}) {
  const more = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      const began = now()
      let text = ''
      socket.setEncoding('latin1')
      socket.on('data', (chunk) => (text += chunk))
      socket.on('end', () => {
        const [head, ...body] = text.split('\r\n\r\n')
        resolve({ ms: now() - began, status: Number(head.split(' ')[1]), body: body.join('\r\n\r\n') })
      })
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${more}\r\n`)
    })
    socket.setNoDelay(true)
    socket.once('error', reject)
  })
}

async function answers(port) {
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      if ((await get(port, 'localhost', '/')).status === 200) return
    } catch {
      // Not listening yet.
    }
    await sleep(25)
  }
  throw new Error(`nothing answers on port ${port}`)
}

const BARE = `
const body = process.argv[2]
require('node:http').createServer({ keepAliveTimeout: 60000 }, (request, response) => {
  response.setHeader('content-type', 'text/html; charset=utf-8')
  response.end(body)
}).listen(Number(process.argv[1]), '127.0.0.1')
`

/** A bare node:http server and Debian's nginx in front of it, saying `body`. */
export async function others(node, body) {
  const bare = await freePort()
  const front = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'darter-bench-nginx-'))
  writeFileSync(join(folder, 'nginx.conf'), `
daemon off; master_process on; worker_processes 2; user root; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000000;
  client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  upstream bare { server 127.0.0.1:${bare}; keepalive 64; keepalive_requests 100000000; }
  server { listen 127.0.0.1:${front}; location / {
    proxy_pass http://bare; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; } }
}`)
  const children = [
    spawn(node, ['-e', BARE, String(bare), body], { stdio: 'inherit' }),
    spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' }),
  ]
  await answers(bare)
  await answers(front)
  return { bare, front, stop: () => children.forEach((child) => child.kill('SIGTERM')) }
}
