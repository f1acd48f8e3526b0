// What callers of apps see: clear pages for what is not there, streams in both directions, sockets, limits, walls
// between console and apps.
import { strict as assert } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { call, send, webSocket } from '../lib/http.mjs'
import { Server, until } from '../lib/server.mjs'

let server
let app

before(async () => {
  server = await Server.start()
  server.operator()
  app = await server.makeApp('door', {
    hello: `export default () => 'hello'\n`,
    sse: `export default async (ctx) => {
  ctx.response.setHeader('content-type', 'text/event-stream')
  for (let i = 0; i < 3; i++) { ctx.response.write('data: ' + i + '\\n\\n'); await new Promise((r) => setTimeout(r, 50)) }
  ctx.response.end()
}\n`,
    web: `export default { async fetch(request) { return new Response(request.body, { headers: { 'x-method': request.method } }) } }\n`,
    headers: `export default (ctx) => ctx.headers\n`,
    throws: `export default () => {\n  const user = null\n  return user.name\n}\n`,
    __websocket__: `export async function main(ctx) {
  if (ctx.method === 'WebSocket:connection') ctx.socket.send('welcome')
  if (ctx.method === 'WebSocket:message') ctx.socket.send('echo ' + ctx.params.data)
}\n`,
  })
})
after(async () => {
  await server.stop()
  Server.cleanUp()
})

test('an unknown app is a page for a person and JSON for a program', async () => {
  const person = await server.app('a000000000', '/', { headers: { accept: 'text/html' } })
  assert.equal(person.status, 404)
  assert.match(person.headers['content-type'], /text\/html/)
  const program = await server.app('a000000000', '/', { headers: { accept: 'application/json' } })
  assert.equal(program.status, 404)
  const { error } = JSON.parse(program.text)
  assert.equal(typeof error.code, 'string')
  assert(error.message.length > 10)
})

test('a stopped app says that it is stopped, and answers again once started', async () => {
  await server.api('POST', `/apps/${app.id}/stop`)
  const stopped = await server.app(app, '/hello', { headers: { accept: 'application/json' } })
  assert.equal(stopped.status, 503)
  assert.match(stopped.text, /stopped/)
  await server.api('POST', `/apps/${app.id}/start`)
  assert.equal((await server.app(app, '/hello')).text, 'hello')
})

test('an exception shows the author their own line in the log, and the caller only a request id', async () => {
  const answer = await server.app(app, '/throws', { headers: { accept: 'application/json' } })
  assert.equal(answer.status, 500)
  assert.doesNotMatch(answer.text, /throws\.ts|user\.name|node:internal/)
  const line = await until('the exception is in the log', async () =>
    (await server.logs(app, '&function=throws&level=error')).items.find(({ message }) => message.includes('throws.ts')))
  assert.match(line.message, /throws\.ts:3/)
  assert.equal((await server.app(app, '/hello')).text, 'hello')
})

test('server-sent events arrive one by one', async () => {
  const sent = send(server.port, '/sse', { headers: { host: server.host(app) } })
  const chunks = await new Promise((resolve, reject) => {
    const got = []
    sent.once('error', reject)
    sent.once('response', (response) => {
      response.on('data', (chunk) => got.push(String(chunk)))
      response.once('end', () => resolve(got))
    })
    sent.end()
  })
  assert.equal(chunks.join(''), 'data: 0\n\ndata: 1\n\ndata: 2\n\n')
  assert(chunks.length >= 2, 'the answer came in one piece')
})

test('a large body streams through and back unchanged', async () => {
  // Often enough that each side has to wait for the other at some point.
  for (let round = 0; round < 12; round++) {
    const body = randomBytes(6 << 20)
    const answer = await server.app(app, '/web', { method: 'POST', body, headers: { 'content-length': body.length } })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['x-method'], 'POST')
    assert(answer.body.equals(body))
  }
})

test('a body over the limit is refused with 413', async () => {
  const headers = { 'content-length': 200 << 20, accept: 'application/json' }
  const answer = await new Promise((resolve, reject) => {
    const sent = send(server.port, '/web', { method: 'POST', headers: { host: server.host(app), ...headers } })
    sent.once('response', (response) => { response.resume(); resolve(response) })
    sent.once('error', reject)
    sent.flushHeaders()
  })
  assert.equal(answer.statusCode, 413)
})

test('a WebSocket works the whole way', async () => {
  const socket = await webSocket(server.port, '/', `${server.host(app)}:${server.port}`)
  assert.equal(await socket.next(), 'welcome')
  socket.say('hi')
  assert.equal(await socket.next(), 'echo hi')
  socket.close()
})

test('credentials of the platform never reach a function, and forwarding headers are the gateway\'s own', async () => {
  const { text } = await server.app(app, '/headers', {
    headers: { cookie: 'darter_session=secret; theirs=1', authorization: 'Bearer theirs', 'x-forwarded-for': '6.6.6.6', 'x-real-ip': '6.6.6.6', 'darter-token': server.token },
  })
  const headers = JSON.parse(text)
  assert.doesNotMatch(text, /darter_session|6\.6\.6\.6|dat_/)
  assert.equal(headers.authorization, 'Bearer theirs')
  assert.match(headers.cookie, /theirs=1/)
})

test('a request that smuggles is refused', async () => {
  const raw = `POST /hello HTTP/1.1\r\nHost: ${server.host(app)}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n`
  const answer = await new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(server.port, '127.0.0.1', () => socket.end(raw))
    socket.on('data', (chunk) => (text += chunk))
    socket.once('close', () => resolve(text))
    socket.once('error', reject)
  })
  assert((answer.match(/HTTP\/1\.1 /g) ?? []).length <= 1, answer)
})

test('health and metrics live on their own address only', async () => {
  const host = { host: 'localhost' }
  assert.equal((await call(server.admin, '/healthz', { headers: host })).status, 200)
  assert.equal((await call(server.admin, '/readyz', { headers: host })).status, 200)
  assert.match((await call(server.admin, '/metrics', { headers: host })).text, /^# (HELP|TYPE) /m)
  const open = await call(server.port, '/metrics', { headers: { host: `darter.localhost:${server.port}`, accept: 'application/json' } })
  assert.doesNotMatch(open.text, /^# TYPE /m)
})

test('the API describes itself', async () => {
  const { text } = await call(server.port, '/api/openapi.json', { headers: { host: 'darter.localhost' } })
  assert.match(JSON.parse(text).openapi, /^3\.1/)
})
