// What happens to an open page of VS Code when its workspace changes its depth, rests, or loses its server.
import { strict as assert } from 'node:assert'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import * as editor from '../lib/editors.mjs'
import { Server, pythonIndex, sleep, until } from '../lib/server.mjs'
import { Workspace } from '../lib/workspace.mjs'

const PICTURES = join(import.meta.dirname, '../results')
const ENV = { DARTER_ENGINE_ENVIRONMENTS: 'vscode', ...pythonIndex() }
// A tab that is open while its server is killed leaves cut connections behind.
const EXPECT = [/interrupted/i, /left over|leftover|swept/i, /the grace is over/]
const UNSAVED = 'nobody has saved this'
/** Longer than the page of VS Code waits for an acknowledgement, and for more than one keep-alive. */
const A_WHILE = 30_000
let server
let work
let place

before(async () => {
  mkdirSync(PICTURES, { recursive: true })
  server = await Server.start({ data: Server.newData({ environments: true }), env: ENV, expect: EXPECT })
  server.operator('ada')
  await server.installed(['vscode'])
  work = await Workspace.make(server, { name: 'Bench', environment: 'vscode', depth: 'full' })
  await work.write('notes.txt', 'written before\n')
})
after(async () => {
  await place?.close()
  await server?.stop()
  Server.cleanUp()
})

/** The page shows that its workspace has another depth now, and is loaded again by a click. */
async function follow(depth) {
  await work.change({ depth })
  await place.page.locator('#darter-rest', { hasText: `Now ${depth}` }).locator('a').click()
  await place.page.waitForFunction((depth) => document.querySelector('script[data-depth]')?.dataset.depth === depth, depth)
}

async function everythingIsOpen() {
  await place.page.getByRole('tab', { name: 'notes.txt' }).waitFor()
  await place.page.getByRole('tab', { name: /Untitled-1/ }).click()
  await place.page.locator('.view-line', { hasText: UNSAVED }).first().waitFor()
}

test('a page goes from full to light and back, and what was open is open', async () => {
  place = await work.enter()
  const { page } = place
  await editor.opened(page, 'notes.txt')
  await editor.edit(page, 'notes.txt', 'edited in full')
  await editor.command(page, 'File: New Untitled Text File')
  await page.getByRole('tab', { name: /Untitled-1/ }).waitFor()
  await page.keyboard.type(UNSAVED)
  await until('the unsaved text is kept', () => work.run(`grep -rlF "${UNSAVED}" ~/.local/share/code-server || true`).trim(), 60)
  await follow('light')
  await everythingIsOpen()
  await editor.edit(page, 'notes.txt', ' and in light')
  await editor.terminal(page, 'echo from-light > light.txt', 'light.txt')
  assert.equal(await work.read('light.txt'), 'from-light\n')
  await page.screenshot({ path: join(PICTURES, 'vscode-light.png') })
  await follow('full')
  await everythingIsOpen()
  await editor.shows(page, 'notes.txt', 'edited in full and in light')
  await editor.terminal(page, 'echo from-full > full.txt', 'full.txt')
  assert.equal(await work.read('full.txt'), 'from-full\n')
})

test('a terminal can be had in light however late the extensions come', async () => {
  await work.change({ depth: 'light' })
  const late = await work.enter()
  await late.page.route('**/light/extension/package.json', async (route) => {
    await sleep(4_000)
    await route.continue()
  })
  await late.page.reload()
  await editor.opened(late.page, 'notes.txt')
  await editor.terminal(late.page, 'echo late > late.txt', 'late.txt')
  await late.close()
  await work.change({ depth: 'full' })
})

for (const depth of ['full', 'light']) {
  test(`an open page in ${depth} lets its workspace rest, and a person wakes it at once`, async () => {
    await place.close()
    await work.change({ depth, rest: { ...work.rest, freeze_after_ms: 500, freeze_open_after_ms: 500 } })
    place = await work.enter()
    const { page } = place
    await editor.opened(page, 'notes.txt')
    await editor.edit(page, 'notes.txt', ` restless ${depth}`)
    await editor.terminal(page, `echo ${depth} > rested-${depth}.txt`, `rested-${depth}.txt`)
    await work.inState('frozen', 'reclaimed')
    const closed = place.sockets.filter((socket) => socket.isClosed()).length
    const slept = (await work.look()).observed.since
    await sleep(A_WHILE)
    assert.equal(place.sockets.filter((socket) => socket.isClosed()).length, closed, 'no connection of the page was cut')
    const { observed } = await work.look()
    assert(['frozen', 'reclaimed'].includes(observed.state), observed.state)
    assert.equal(observed.since, slept, 'nothing woke it meanwhile')
    await editor.edit(page, 'notes.txt', ' and awake')
    await saved(`restless ${depth} and awake`)
    await work.change({ rest: work.rest })
  })
}

test('a light page goes on by itself when its server was killed', async () => {
  await restart()
  await editor.edit(place.page, 'notes.txt', ' after the kill')
  await saved('after the kill')
  await editor.terminal(place.page, 'echo again > again.txt', 'again.txt')
})

test('a full page has everything again when its server was killed', async () => {
  await follow('full')
  await editor.opened(place.page, 'notes.txt')
  await editor.edit(place.page, 'notes.txt', ' before the kill')
  await editor.terminal(place.page, 'echo before > before.txt', 'before.txt')
  await restart()
  // Its server inside was another process: VS Code asks before it loads again, for what nobody could keep meanwhile.
  await place.page.getByRole('dialog').getByRole('button', { name: 'Reload Window' }).click()
  await editor.opened(place.page, 'notes.txt')
  await everythingIsOpen()
  await editor.shows(place.page, 'notes.txt', 'before the kill')
  await editor.terminal(place.page, 'tail -1 .bash_history > history.txt', 'history.txt')
  assert.equal(await work.read('before.txt'), 'before\n')
})

const saved = (text) => until(`“${text}” is saved`, async () => (await work.read('notes.txt')).includes(text), 60)

/** kill -9, and a new server at the same place. */
async function restart() {
  const { token, data, port } = server
  await server.kill()
  server = await Server.start({ data, port, env: ENV, expect: EXPECT })
  Object.assign(server, { token })
  work.server = server
}
