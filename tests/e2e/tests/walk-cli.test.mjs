// The whole way by command line: account, app, function, publish, call, logs, roll back, package, secret, export.
import { strict as assert } from 'node:assert'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Server, until } from '../lib/server.mjs'

let server
const folder = mkdtempSync(join(tmpdir(), 'darter-files-'))
const file = (name, text) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

before(async () => {
  server = await Server.start()
  server.operator()
})
after(async () => {
  await server.stop()
  Server.cleanUp()
  rmSync(folder, { recursive: true })
})

test('a login is kept in a file that only its owner can read, and forgotten again', () => {
  const home = mkdtempSync(join(tmpdir(), 'darter-home-'))
  const env = { XDG_CONFIG_HOME: home, DARTER_URL: '', DARTER_TOKEN: '' }
  const { token } = server
  server.token = undefined
  delete env.DARTER_URL
  server.cli(['login', server.url], { input: `${token}\n`, env })
  assert.equal(JSON.parse(server.cli(['whoami', '--json'], { env })).username, 'operator')
  server.cli(['logout'], { env })
  server.cli(['whoami'], { env, code: 3 })
  server.token = token
  rmSync(home, { recursive: true })
})

test('a function is written, published, called, watched and rolled back', async () => {
  const app = JSON.parse(server.cli(['app', 'create', 'walk', '--json']))
  const first = file('hello.ts', `export default async (ctx: { query: { name?: string } }) => {\n  console.log('asked by', ctx.query.name)\n  return 'hello ' + ctx.query.name\n}\n`)
  const published = JSON.parse(server.cli(['fn', 'publish', 'walk', 'hello', first, '-m', 'first', '--json']))
  assert.equal(published.version.number, 1)
  const answer = await server.app(app, '/hello?name=Ada')
  assert.deepEqual([answer.status, answer.text], [200, 'hello Ada'])

  const lines = await until('the log line is there', () => {
    const found = JSON.parse(server.cli(['fn', 'logs', 'walk', 'hello', '--json'])).filter((line) => line.source === 'function')
    return found.length > 0 && found
  })
  assert.match(lines[0].message, /asked by Ada/)
  assert.deepEqual([lines[0].function, lines[0].version], ['hello', 1])

  server.cli(['fn', 'publish', 'walk', 'hello', file('two.ts', `export default () => 'two'\n`), '-m', 'second'])
  assert.equal((await server.app(app, '/hello')).text, 'two')
  const versions = JSON.parse(server.cli(['fn', 'versions', 'walk', 'hello', '--json']))
  assert.deepEqual(versions.map(({ number, live, message }) => [number, live, message]), [[2, true, 'second'], [1, false, 'first']])
  assert.match(server.cli(['fn', 'diff', 'walk', 'hello', '1', '2']), /^\+export default \(\) => 'two'$/m)
  assert.match((await server.app(app, '/hello@1?name=Old')).text, /hello Old/)
  server.cli(['fn', 'rollback', 'walk', 'hello', '1'])
  assert.equal((await server.app(app, '/hello?name=back')).text, 'hello back')
})

test('a draft runs without being published', () => {
  const draft = file('draft.ts', `export default (ctx) => ({ method: ctx.method, body: ctx.body, user: ctx.user })\n`)
  server.cli(['fn', 'push', 'walk', 'hello', draft])
  const words = ['fn', 'run', 'walk', 'hello', '-X', 'POST', '-H', 'content-type: application/json', '-d', '{"a":1}', '--user', '{"uid":7}', '--json']
  const result = JSON.parse(server.cli(words))
  assert.equal(result.status, 200)
  assert.deepEqual(JSON.parse(result.body).body, { a: 1 })
  assert.equal(JSON.parse(result.body).user.uid, 7)
})

test('a syntax error names its place and publishes nothing', async () => {
  const said = server.cli(['fn', 'publish', 'walk', 'hello', file('bad.ts', 'export default () => {\n  return (\n')], { code: 1 })
  assert.match(said, /\n {2}\d+:\d+ {2}\S/)
  assert.equal(JSON.parse(server.cli(['fn', 'versions', 'walk', 'hello', '--json'])).length, 2)
})

test('variables and secrets reach the function, and a secret is never shown again', async () => {
  const app = JSON.parse(server.cli(['app', 'show', 'walk', '--json']))
  server.cli(['env', 'set', 'walk', 'GREETING=salut', 'EMPTY='])
  server.cli(['secret', 'set', 'walk', 'KEY'], { input: 's3cret-value\n' })
  server.cli(['fn', 'publish', 'walk', 'env', file('env.ts', `export default () => process.env.GREETING + ' ' + process.env.KEY\n`)])
  assert.equal((await server.app(app, '/env')).text, 'salut s3cret-value')
  for (const words of [['secret', 'list', 'walk', '--json'], ['secret', 'list', 'walk'], ['app', 'show', 'walk', '--json']]) {
    assert.doesNotMatch(server.cli(words), /s3cret-value/)
  }
  server.cli(['env', 'unset', 'walk', 'EMPTY'])
  assert.deepEqual(JSON.parse(server.cli(['env', 'list', 'walk', '--json'])).map(({ name }) => name), ['GREETING'])
})

test('a package is installed with visible progress, and one that does not exist says so', async () => {
  const app = JSON.parse(server.cli(['app', 'show', 'walk', '--json']))
  server.cli(['dep', 'add', 'walk', 'is-number@7.0.0'])
  server.cli(['fn', 'publish', 'walk', 'dep', file('dep.ts', `import isNumber from 'is-number'\nexport default () => String(isNumber(3))\n`)])
  assert.equal((await until('the package is there', async () => {
    const answer = await server.app(app, '/dep')
    return answer.status === 200 && answer
  })).text, 'true')
  server.cli(['dep', 'add', 'walk', 'darter-no-such-package-anywhere'], { code: 1 })
  assert.equal((await server.app(app, '/dep')).text, 'true')
})

test('an app is exported, imported, stopped, recycled and restored', async () => {
  const zip = join(folder, 'walk.zip')
  server.cli(['app', 'export', 'walk', '-o', zip])
  assert.equal(readFileSync(zip).subarray(0, 2).toString(), 'PK')
  const copy = JSON.parse(server.cli(['app', 'import', zip, '--json']))
  assert.equal((await server.app(copy, '/hello?name=copy')).text, 'hello copy')
  server.cli(['app', 'stop', copy.id])
  assert.equal((await server.app(copy, '/hello')).status, 503)
  server.cli(['app', 'start', copy.id])
  server.cli(['app', 'delete', copy.id])
  assert.equal((await server.app(copy, '/hello')).status, 404)
  server.cli(['app', 'restore', copy.id])
  assert.equal(JSON.parse(server.cli(['app', 'show', copy.id, '--json'])).state, 'stopped')
  server.cli(['app', 'delete', copy.id])
  server.cli(['app', 'purge', copy.id])
  server.cli(['app', 'show', copy.id], { code: 4 })
})

test('exit codes are what scripts rely on', () => {
  server.cli(['app', 'show', 'nobody-has-this'], { code: 4 })
  server.cli(['app', 'show'], { code: 2 })
  server.cli(['whoami'], { code: 3, env: { DARTER_TOKEN: 'dat_wrong' } })
  server.cli(['whoami'], { code: 6, env: { DARTER_URL: 'http://127.0.0.1:9' } })
  const error = JSON.parse(server.cli(['app', 'show', 'nobody-has-this', '--json'], { code: 4 }))
  assert.equal(typeof error.error.code, 'string')
})

test('a token can only do what its scopes say, and nothing once it is revoked', () => {
  const secret = server.cli(['token', 'create', 'reader', '--scopes', 'read']).trim()
  const env = { DARTER_TOKEN: secret }
  server.cli(['app', 'list'], { env })
  server.cli(['app', 'create', 'not-allowed'], { env, code: 3 })
  const { id } = JSON.parse(server.cli(['token', 'list', '--json'])).find(({ name }) => name === 'reader')
  server.cli(['token', 'revoke', id])
  server.cli(['app', 'list'], { env, code: 3 })
})
