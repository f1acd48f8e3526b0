// Workspaces as a person uses them: made in the console, opened through the gateway, left, asleep, back; on a real VS Code
// and a real JupyterLab in real sandboxes.
import { strict as assert } from 'node:assert'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { open as launch } from '../lib/browser.mjs'
import * as editor from '../lib/editors.mjs'
import { call, webSocket } from '../lib/http.mjs'
import { givePassword, signIn } from '../lib/scene.mjs'
import { Server, pythonIndex, until } from '../lib/server.mjs'
import { vsix } from '../lib/vsix.mjs'

const PICTURES = join(import.meta.dirname, '../results')
const ENV = { DARTER_ENGINE_ENVIRONMENTS: 'vscode,jupyter', ...pythonIndex() }
// A tab that is open while its server is killed, or its workspace put to sleep, leaves cut connections behind.
const EXPECT = [/interrupted/i, /left over|leftover|swept/i, /the grace is over/]
const HOME = '/home/user'
let server
let page
let work
let place
const windows = []

before(async () => {
  mkdirSync(PICTURES, { recursive: true })
  server = await Server.start({ data: Server.newData({ environments: true }), env: ENV, expect: EXPECT })
  server.operator('ada')
  await givePassword(server, 'ada')
  await server.installed(['vscode', 'jupyter'])
  ;({ page } = await open())
  await signIn(page, server)
})
after(async () => {
  for (const one of windows) await one.close()
  await server?.stop()
  Server.cleanUp()
})

/** A browser of its own, closed at the end also when a test fails half-way. */
async function open(options) {
  const made = await launch(options)
  made.page.setDefaultTimeout(120_000)
  windows.push(made)
  return made
}

const seen = async () => (await server.api('GET', `/workspaces/${work.id}`)).observed.state
const inState = (...states) => until(`it is ${states.join(' or ')}`, async () => states.includes(await seen()), 180)
const hostOf = (decoration = 'ada') => `${decoration}-${work.id}.darter-apps.localhost:${server.port}`
const address = (words = []) => server.cli(['ws', 'open', work.id, '--print', ...words]).trim()
const read = async (path) => (await server.tryApi('GET', `/workspaces/${work.id}/files?path=${HOME}/${path}`)).text
const write = (path, body) => server.put(`/workspaces/${work.id}/files?path=${HOME}/${path}`, body)

/** The editor's page in a browser of its own, led in by an address that signs in once. */
async function enter(file) {
  place = await open()
  await place.page.goto(address())
  if (file) await editor.opened(place.page, file)
  return place.page
}

test('one click in the console makes a workspace and opens its editor in a tab', async () => {
  await page.goto(`${server.url}/workspaces`)
  await page.getByRole('button', { name: 'New workspace' }).first().click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('textbox', { name: 'Name' }).fill('Bench')
  const [tab] = await Promise.all([page.context().waitForEvent('page'), dialog.getByRole('button', { name: 'Create and open' }).click()])
  await tab.locator('.monaco-workbench').waitFor({ timeout: 180_000 })
  ;[work] = (await server.api('GET', '/workspaces')).items
  assert.equal(work.name, 'Bench')
  assert.equal(new URL(tab.url()).host, hostOf())
  await write('notes.txt', 'written before\n')
  await tab.reload()
  await editor.opened(tab, 'notes.txt')
  await tab.close()
})

test('in full VS Code a file is edited and saved, and a terminal is used', async () => {
  const code = await enter('notes.txt')
  await editor.edit(code, 'notes.txt', 'edited in full')
  await editor.terminal(code, 'echo from-the-terminal > made.txt', 'made.txt')
  assert.match(await read('notes.txt'), /edited in full/)
  assert.equal(await read('made.txt'), 'from-the-terminal\n')
  await code.screenshot({ path: join(PICTURES, 'vscode-full.png') })
})

test('an extension is installed from a local .vsix and its command runs', async () => {
  await write('probe.vsix', vsix())
  await editor.terminal(place.page, 'code --install-extension ~/probe.vsix && touch installed.txt', 'installed.txt')
  await editor.command(place.page, 'Probe: Say Hello')
  await place.page.getByText('Hello from the probe').first().waitFor({ timeout: 180_000 })
  await place.close()
})

test('left alone it freezes, and the file is there when it is opened again', async () => {
  const rest = { ...work.rest, freeze_after_ms: 500, freeze_open_after_ms: 500 }
  await server.api('PATCH', `/workspaces/${work.id}`, { rest })
  await inState('frozen', 'reclaimed')
  await server.api('PATCH', `/workspaces/${work.id}`, { rest: work.rest })
  const code = await enter('notes.txt')
  await editor.shows(code, 'notes.txt', 'edited in full')
  await place.close()
})

test('stopped and opened again it has the file and the extension', async () => {
  await server.api('POST', `/workspaces/${work.id}/stop`)
  await inState('stopped')
  const code = await enter('notes.txt')
  await editor.shows(code, 'notes.txt', 'edited in full')
  await editor.command(code, 'Probe: Say Hello')
  await code.getByText('Hello from the probe').first().waitFor({ timeout: 180_000 })
  await place.close()
})

test('a port is found, has an address of its own, and a share link opens it for a stranger', async () => {
  await write('index.html', '<h1>Served from inside</h1>')
  server.cli(['ws', 'exec', work.id, '--', 'sh', '-c', `cd ${HOME} && setsid python3 -m http.server 3000 >/dev/null 2>&1 </dev/null &`])
  await until('port 3000 is found', async () => (await server.api('GET', `/workspaces/${work.id}/ports`)).items.some((one) => one.port === 3000 && one.listening), 180)
  const mine = await open()
  await mine.page.goto(address(['--port', '3000']))
  await mine.page.getByRole('heading', { name: 'Served from inside' }).waitFor()
  assert.equal(new URL(mine.page.url()).host, hostOf('3000'))
  await mine.close()
  const { url } = await server.api('POST', `/workspaces/${work.id}/ports/3000/shares`, { for_ms: 3_600_000 })
  const stranger = await open()
  await stranger.page.goto(url)
  await stranger.page.getByRole('heading', { name: 'Served from inside' }).waitFor()
  await stranger.page.goto(`http://${hostOf()}/`)
  await stranger.page.waitForURL(/\/sign-in/)
  await stranger.close()
})

test('a one-time address signs one browser in, and no second one', async () => {
  const once = address()
  const [first, second] = [await open(), await open()]
  await first.page.goto(once)
  await editor.opened(first.page, 'notes.txt')
  assert.equal((await second.page.goto(once)).status(), 403)
  await second.page.goto(`http://${hostOf()}/`)
  await second.page.waitForURL(/\/sign-in/)
  await first.close()
  await second.close()
})

test('another account finds nothing: no page, no WebSocket, no API, no port', async () => {
  const { token } = JSON.parse(server.cli(['account', 'create', 'grace', '--token', '--json', '--data', server.data]))
  const outsider = { authorization: `Bearer ${token}` }
  for (const path of ['', '/files?path=/home/user/notes.txt', '/snapshots', '/ports']) {
    assert.equal((await server.tryApi('GET', `/workspaces/${work.id}${path}`, undefined, outsider)).status, 404, path)
  }
  for (const decoration of ['ada', '3000']) {
    const answer = await call(server.port, '/', { headers: { host: hostOf(decoration), 'darter-token': token } })
    assert([401, 403, 404].includes(answer.status), `${decoration}: ${answer.status} ${answer.text}`)
    await assert.rejects(webSocket(server.port, '/', hostOf(decoration)), /no upgrade/)
  }
  await givePassword(server, 'grace')
  const grace = await open()
  await signIn(grace.page, server, 'grace')
  await grace.page.goto(`http://${hostOf()}/`)
  await grace.page.waitForURL(/\/workspaces\?refused=/)
  await grace.close()
})

test('a cell of a notebook is run in JupyterLab, and its notebook is there after a stop', async () => {
  const before = work
  work = await server.api('POST', '/workspaces', { name: 'Notebook', environment: 'jupyter' })
  const lab = await enter()
  await editor.notebook(lab, 'print(6 * 7)', '42')
  await lab.screenshot({ path: join(PICTURES, 'jupyter.png') })
  await lab.keyboard.press('Control+s')
  await until('the notebook is saved', async () => (await read('Untitled.ipynb')).includes('6 * 7'), 180)
  await place.close()
  await server.api('POST', `/workspaces/${work.id}/stop`)
  await inState('stopped')
  assert.match(await read('Untitled.ipynb'), /6 \* 7/)
  work = before
})

test('an open notebook that nobody touches lets its workspace rest, and a click keeps it or wakes it', async () => {
  const before = work
  work = await server.api('POST', '/workspaces', { name: 'Idle', environment: 'jupyter' })
  await inState('running')
  await server.api('PATCH', `/workspaces/${work.id}`, { rest: { ...work.rest, freeze_after_ms: 10_000, freeze_open_after_ms: 10_000 } })
  const lab = await enter()
  await editor.notebook(lab, 'print(6 * 7)', '42')
  const rest = lab.locator('#darter-rest a')
  await rest.filter({ hasText: /Sleeps at .* · keep 2 h/ }).click()
  await rest.filter({ hasText: /Awake until/ }).click()
  await rest.filter({ hasText: /Sleeps at/ }).waitFor()
  await inState('frozen', 'reclaimed')
  const since = async () => (await server.api('GET', `/workspaces/${work.id}`)).observed.since
  // Pages of Jupyter speak every few seconds, and connect anew after thirty of silence.
  let slept = await since()
  await until('it has rested for longer than that', async () => {
    const now = await since()
    const long = Date.now() - now > 45_000 && now === slept
    slept = now
    return long
  }, 150)
  await editor.run(lab, 'print(7 * 7)', '49')
  await place.close()
  work = before
})
