// Functions that mean harm. After each of them: the server lives, the neighbour answers, nothing of the platform or of
// another tenant was seen. The numbers are those of the list of hostile programs.
import { strict as assert } from 'node:assert'
import { createServer } from 'node:http'
import { after, afterEach, before, test } from 'node:test'
import { Server, until } from '../lib/server.mjs'
import { descendants } from '../lib/traces.mjs'

let server
let neighbour
let listener
let knocked = 0

before(async () => {
  server = await Server.start()
  server.operator()
  neighbour = await server.makeApp('neighbour', { hello: `export default () => 'still here'\n` })
  await server.api('PUT', `/apps/${neighbour.id}/secrets/KEY`, { value: 'the-neighbours-secret' })
  listener = createServer((_, response) => { knocked++; response.end('inside') }).listen(0, '127.0.0.1')
})
after(async () => {
  listener.close()
  await server.stop()
  Server.cleanUp()
})
afterEach(async () => {
  assert.equal((await server.app(neighbour, '/hello')).text, 'still here')
  assert.equal(knocked, 0, 'a function reached a server of the host')
})

/** An app with this function called once; the answer. */
async function attack(name, source, limits = {}) {
  const app = await server.makeApp(name, { attack: source, fine: `export default () => 'fine'\n` })
  if (Object.keys(limits).length > 0) {
    const now = await server.api('GET', `/apps/${app.id}`)
    await server.api('PATCH', `/apps/${app.id}`, { limits: { ...now.limits, ...limits } }, { 'if-match': `"${now.revision}"` })
  }
  const answer = await server.app(app, '/attack', { headers: { accept: 'application/json' } })
  return { app, answer }
}

const comesBack = (app) => until('the app answers again', async () => (await server.app(app, '/fine')).text === 'fine', 20)

test('10 an endless loop is ended and the other functions answer again', async () => {
  const { app, answer } = await attack('loop', `export default () => { for (;;); }\n`, { loop_timeout_ms: 500 })
  assert(answer.status >= 500, answer.text)
  await comesBack(app)
})

test('5 memory beyond the limit ends only that app, with a true verdict in its log', async () => {
  const { app, answer } = await attack('memory', `export default () => { const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1)) }\n`)
  assert(answer.status >= 500, answer.text)
  await until('the log says memory', async () => (await server.logs(app)).items.some(({ message }) => /memory/i.test(message)))
  await comesBack(app)
})

test('1 a fork bomb stops at the limit and leaves no process', async () => {
  const before = descendants(server.child.pid).length
  const { app } = await attack('fork', `import { spawn } from 'node:child_process'
export default async () => {
  let failed = 0
  for (let i = 0; i < 500; i++) await new Promise((done) => { try { const c = spawn('/runtime/bin/node', ['-e', 'setTimeout(()=>{},1e9)']); c.once('error', () => { failed++; done() }); c.once('spawn', done) } catch { failed++; done() } })
  return String(failed)
}\n`)
  assert(descendants(server.child.pid).length < before + 300)
  await server.api('POST', `/apps/${app.id}/stop`)
  await until('its processes are gone', () => descendants(server.child.pid).length <= before + 8, 20)
})

test('14 a flood of logs is cut and said to be cut, and the server stays small', async () => {
  const { app } = await attack('flood', `export default () => { for (let i = 0; i < 200000; i++) console.log('x'.repeat(500), i); return 'done' }\n`)
  await comesBack(app)
  const kept = await server.logs(app)
  assert(kept.items.length <= 1000)
})

test('7 and 18 a full disk is the app\'s own trouble', async () => {
  const { app, answer } = await attack('disk', `import { appendFileSync } from 'node:fs'
export default () => { try { for (let i = 0; i < 4096; i++) appendFileSync('/tmp/full', Buffer.alloc(1 << 20)) ; return 'no limit' } catch (error) { return error.code } }\n`)
  assert.doesNotMatch(answer.text, /no limit/)
  await comesBack(app)
})

test('85 to 87 no private address, no metadata service and no port of the host can be reached', async () => {
  const { port } = listener.address()
  const { answer } = await attack('egress', `import net from 'node:net'
const tried = async (what, go) => { try { return [what, await go()] } catch (error) { return [what, 'refused'] } }
const viaFetch = (url) => tried(url, async () => (await fetch(url, { signal: AbortSignal.timeout(3000) })).ok ? 'REACHED' : 'refused')
const direct = (host, port) => tried(host + ':' + port, () => new Promise((done) => { const s = net.connect({ host, port, timeout: 1500 }, () => { s.destroy(); done('REACHED') }); s.once('error', () => done('refused')); s.once('timeout', () => { s.destroy(); done('refused') }) }))
export default async () => Object.fromEntries(await Promise.all([
  viaFetch('http://127.0.0.1:${port}/'), viaFetch('http://localhost:${port}/'), viaFetch('http://2130706433:${port}/'), viaFetch('http://0x7f.1:${port}/'),
  viaFetch('http://[::ffff:127.0.0.1]:${port}/'), viaFetch('http://0.0.0.0:${port}/'), viaFetch('http://169.254.169.254/latest/meta-data/'),
  viaFetch('http://[fd00:ec2::254]/'), viaFetch('http://100.100.100.200/'), viaFetch('http://10.0.0.1/'), viaFetch('http://192.168.0.1/'), viaFetch('http://172.17.0.1/'),
  viaFetch('http://127.0.0.1:${server.port}/'), viaFetch('http://127.0.0.1:${server.admin}/metrics'),
  direct('127.0.0.1', ${port}), direct('127.0.0.1', ${server.port}), direct('169.254.169.254', 80), direct('10.0.0.1', 80),
]))\n`)
  assert.equal(answer.status, 200, answer.text)
  const reached = Object.entries(JSON.parse(answer.text)).filter(([, verdict]) => verdict !== 'refused')
  assert.deepEqual(reached, [])
})

test('47 to 49 and 51 nothing of the host, the platform or another tenant can be read', async () => {
  const { answer } = await attack('read', `import fs from 'node:fs'
const read = (file) => { try { return fs.readFileSync(file, 'latin1') } catch (error) { return error.code } }
const list = (folder) => { try { return fs.readdirSync(folder) } catch (error) { return error.code } }
export default () => {
  const pids = list('/proc').filter((name) => /^\\d+$/.test(name))
  const fds = list('/proc/self/fd').map((fd) => { try { return fs.readlinkSync('/proc/self/fd/' + fd) } catch { return '' } })
  const files = ['/etc/shadow', '/proc/kcore', '/proc/1/root/etc/shadow', ${JSON.stringify(`${server.data}/control.db`)}, ${JSON.stringify(`${server.data}/keys/master`)}]
  const everything = pids.map((pid) => read('/proc/' + pid + '/environ') + read('/proc/' + pid + '/cmdline'))
  return { pids: pids.length, fds, env: Object.keys(process.env), files: files.map((file) => [file, read(file).slice(0, 200)]), everything, mounts: read('/proc/self/mountinfo'), hostname: read('/proc/sys/kernel/hostname') }
}\n`)
  assert.equal(answer.status, 200, answer.text)
  const seen = JSON.parse(answer.text)
  assert(seen.pids < 8, `it sees ${seen.pids} processes`)
  for (const [file, text] of seen.files) assert.match(text, /^E[A-Z]+$/, `${file} could be read`)
  assert.doesNotMatch(answer.text, /the-neighbours-secret|control\.db[^"]*-|DARTER_TOKEN|DARTER_URL/)
  assert.doesNotMatch(seen.everything.join(' '), /the-neighbours-secret/)
  assert(seen.env.every((name) => !/^DARTER_(?!CONTROL_FD)/.test(name)), seen.env.join(' '))
})

test('61 to 71 no door out of the sandbox opens', async () => {
  const { answer } = await attack('escape', `import fs from 'node:fs'
import { spawnSync } from 'node:child_process'
const tried = (go) => { try { go(); return 'DONE' } catch (error) { return error.code ?? String(error) } }
export default () => ({
  write_usr: tried(() => fs.writeFileSync('/usr/bin/x', 'x')),
  write_runtime: tried(() => fs.writeFileSync('/runtime/shim/x.mjs', 'x')),
  write_etc: tried(() => fs.writeFileSync('/etc/x', 'x')),
  device: tried(() => fs.readFileSync('/dev/sda')),
  cgroup: tried(() => fs.readdirSync('/sys/fs/cgroup')),
  setuid: tried(() => process.setuid(0)),
  kill: tried(() => { process.kill(1, 'SIGKILL') }),
  unshare: spawnSync('unshare', ['-r', 'true']).status === 0 ? 'DONE' : 'refused',
  mount: spawnSync('mount', ['-t', 'tmpfs', 'x', '/tmp']).status === 0 ? 'DONE' : 'refused',
  su: spawnSync('su', ['-c', 'true']).status === 0 ? 'DONE' : 'refused',
})\n`)
  const tried = answer.status === 200 ? JSON.parse(answer.text) : {}
  const done = Object.entries(tried).filter(([name, verdict]) => verdict === 'DONE' && name !== 'kill')
  assert.deepEqual(done, [])
})

test('a rejected promise and a late exception never take the process down', async () => {
  const { app, answer } = await attack('late', `export default () => {
  setTimeout(() => { throw new Error('late') }, 10)
  Promise.reject(new Error('nobody waits'))
  return 'answered'
}\n`)
  assert.equal(answer.text, 'answered')
  await until('both are in the log', async () => {
    const text = (await server.logs(app)).items.map(({ message }) => message).join('\n')
    return text.includes('late') && text.includes('nobody waits')
  })
  const { items } = await server.api('GET', `/apps/${app.id}/instances`)
  assert.equal(items.length, 1)
  assert((await server.app(app, '/fine')).text === 'fine')
})

test('a handler that never answers gets 504 and the instance lives', async () => {
  const { app, answer } = await attack('never', `export default () => new Promise(() => {})\n`, { total_timeout_ms: 700 })
  assert.equal(answer.status, 504, answer.text)
  assert.equal((await server.app(app, '/fine')).text, 'fine')
})

test('code over 512 KB, a name with dots and a circular import are refused with words', async () => {
  const app = await server.api('POST', '/apps', { name: 'input' })
  const big = await server.tryApi('POST', `/apps/${app.id}/functions`, { name: 'big', source: `//${'x'.repeat(600 << 10)}` })
  assert([400, 413].includes(big.status), String(big.status))
  const dots = await server.tryApi('POST', `/apps/${app.id}/functions`, { name: '../up' })
  assert.equal(dots.status, 400)
  await server.publish(app, 'a', `export const a = 1\nexport default () => a\n`)
  await server.publish(app, 'b', `import { a } from '@/a'\nexport const b = a\nexport default () => b\n`)
  const circle = await server.tryApi('POST', `/apps/${app.id}/functions/a/publish`, { source: `import { b } from '@/b'\nexport const a = b\nexport default () => a\n` })
  assert.equal(circle.status, 400, circle.text)
  assert.match(circle.text, /a -> b -> a|a → b → a/)
})
