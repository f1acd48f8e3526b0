// kill -9 at any time: everything acknowledged is there, nothing is orphaned. Ctrl-C: requests finish, nothing is left.
import { strict as assert } from 'node:assert'
import { spawnSync } from 'node:child_process'
import { after, test } from 'node:test'
import { DARTER, Server, environment, until } from '../lib/server.mjs'

after(() => Server.cleanUp())
const killed = [/interrupted/i, /left over|leftover|swept/i]

test('what was acknowledged before kill -9 is there after it', async () => {
  let server = await Server.start()
  server.operator()
  const { token, data } = server
  const app = await server.makeApp('crash', { hello: `export default () => 'one'\n` })
  assert.equal((await server.app(app, '/hello')).text, 'one')
  let acknowledged = 0
  const writing = (async () => {
    for (let turn = 1; turn <= 500; turn++) {
      await server.publish(app, 'hello', `export default () => 'turn ${turn}'\n`)
      acknowledged = turn
    }
  })().catch(() => {})
  await until('some publishes are acknowledged', () => acknowledged >= 5)
  await server.kill()
  await writing
  server = await Server.start({ data, expect: killed })
  server.token = token
  const answer = await server.app(app, '/hello')
  const turn = Number(/turn (\d+)/.exec(answer.text)?.[1])
  assert(turn === acknowledged || turn === acknowledged + 1, `acknowledged ${acknowledged}, answered ${answer.text}`)
  const versions = await server.api('GET', `/apps/${app.id}/functions/hello/versions?limit=200`)
  assert(versions.items[0].number >= acknowledged + 1)
  await server.stop()
})

test('a server whose log nobody reads any more still stops when it is told to', async () => {
  const server = await Server.start()
  server.child.stderr.destroy()
  await server.stop()
})

test('requests in flight finish when the server is told to stop', async () => {
  const server = await Server.start()
  server.operator()
  const app = await server.makeApp('drain', {
    slow: `export default async () => { console.log('begun'); await new Promise((r) => setTimeout(r, 1500)); return 'finished' }\n`,
  })
  const answer = server.app(app, '/slow')
  await until('the request is in flight', async () => {
    const { items } = await server.api('GET', `/apps/${app.id}/instances`)
    return items.some((one) => one.in_flight > 0)
  })
  await server.stop()
  assert.equal((await answer).text, 'finished')
})

test('a second server on the same data is refused and told who holds it', async () => {
  const server = await Server.start()
  const second = spawnSync(DARTER, ['up', '--data', server.data, '--listen', '127.0.0.1:0', '--admin-listen', ''], { env: environment(), encoding: 'utf8' })
  assert.equal(second.status, 5, second.stderr)
  assert.match(second.stderr, new RegExp(`process ${server.child.pid}`))
  await server.stop()
})

test('a bad configuration ends the start with the key and the fix, before any port opens', () => {
  const bad = spawnSync(DARTER, ['up', '--data', '/var/tmp/darter-never-made'], {
    env: environment({ DARTER_ENGINE_POOL_SIZE: '-4', DARTER_SERVER_LISTN: 'x' }),
    encoding: 'utf8',
  })
  assert.equal(bad.status, 2, bad.stderr)
  assert.match(bad.stderr, /DARTER_SERVER_LISTN: .* did you mean listen\?/)
  assert.doesNotMatch(bad.stdout, /ready/)
})

test('the doctor says which walls stand, and exits by it', () => {
  const ran = spawnSync(DARTER, ['doctor', '--json', '--data', '/var/tmp/darter-never-made'], { env: environment(), encoding: 'utf8' })
  const checks = JSON.parse(ran.stdout)
  assert(checks.length > 8)
  assert.equal(ran.status, checks.some(({ state }) => state === 'missing') ? 1 : 0)
  for (const one of checks) assert(one.state === 'ok' || one.what_to_do.length > 0, JSON.stringify(one))
})
