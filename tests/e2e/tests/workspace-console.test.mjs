// A workspace's pages as a person meets them: snapshots, two who write one file, SSH keys, what is offered and what is not.
// The workspace is a light one without a pool: its start costs little, and nothing here needs an editor.
import { strict as assert } from 'node:assert'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { audit } from '../lib/axe.mjs'
import { open, openWithoutCookies } from '../lib/browser.mjs'
import { givePassword, settled, signIn } from '../lib/scene.mjs'
import { Server, pythonIndex, until } from '../lib/server.mjs'

const ENV = { DARTER_ENGINE_ENVIRONMENTS: 'vscode', DARTER_WORKSPACES_POOL_MOST: '0', ...pythonIndex() }
const HOME = '/home/user'
const folder = mkdtempSync(join(tmpdir(), 'darter-keys-'))
let server
let page
let close
let work
let at

before(async () => {
  server = await Server.start({ data: Server.newData({ environments: true }), env: ENV, expect: [/a home was missing and was made of its newest snapshot/] })
  server.operator('ada')
  await givePassword(server, 'ada')
  await server.installed(['vscode'])
  work = await server.api('POST', '/workspaces', { name: 'Thesis', environment: 'vscode', depth: 'light' })
  at = `${server.url}/workspaces/${work.id}`
  ;({ page, close } = await open({ reducedMotion: 'reduce' }))
  page.setDefaultTimeout(60_000)
  await signIn(page, server)
})
after(async () => {
  await close?.()
  await server?.stop()
  Server.cleanUp()
  rmSync(folder, { recursive: true })
})

const fileOf = (path) => `/workspaces/${work.id}/files?path=${HOME}/${path}`
const write = (path, text) => server.put(fileOf(path), text)
const read = async (path) => {
  const { status, text } = await server.tryApi('GET', fileOf(path))
  return status === 200 ? text : null
}
const says = (text) => page.getByText(text).first().waitFor()
const dialog = () => page.getByRole('dialog')
const press = (name) => dialog().getByRole('button', { name, exact: true }).click()
const closed = () => dialog().waitFor({ state: 'hidden' })

const source = (name) => page.getByRole('textbox', { name: `Source of ${name}` })

/** One entry of the menu of a row that has this name. */
async function choose(row, entry) {
  await page.getByRole('button', { name: `Actions ${row}` }).click()
  await page.getByRole('menuitem', { name: entry }).click()
  await dialog().waitFor()
}

/** Nothing on the page as it is now stops a person, light or dark. */
async function accessible(what) {
  await settled(page)
  for (const colorScheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme })
    await page.waitForFunction((theme) => document.documentElement.dataset.theme === theme && !document.getAnimations().some((one) => one instanceof CSSTransition), colorScheme)
    assert.deepEqual(await audit(page), [], `${what}, ${colorScheme}`)
  }
}

/** Opens a file in the console's editor and writes at its end. */
async function type(path, text) {
  const folder = path.includes('/') ? `${HOME}/${path.slice(0, path.lastIndexOf('/'))}` : HOME
  await page.goto(`${at}/files?path=${encodeURIComponent(folder)}&file=${encodeURIComponent(`${HOME}/${path}`)}`)
  await source(path.split('/').at(-1)).click()
  await page.keyboard.press('ControlOrMeta+End')
  await page.keyboard.type(text)
  await says('not saved')
}

test('a snapshot is made, looked into, and gives one file back', async () => {
  await server.api('POST', `/workspaces/${work.id}/files`, { operation: 'mkdir', path: `${HOME}/code` })
  await write('notes.txt', 'first\n')
  await write('code/main.py', 'print(1)\n')
  await page.goto(`${at}/snapshots`)
  await page.getByRole('button', { name: 'Make a snapshot' }).click()
  await dialog().getByRole('textbox').fill('before the storm')
  await press('Make a snapshot')
  await closed()
  await write('notes.txt', 'second\n')
  await write('code/main.py', 'print(2)\n')
  await page.getByRole('link', { name: 'before the storm' }).click()
  await page.getByRole('link', { name: 'code' }).click()
  await says('main.py')
  await accessible('inside a snapshot')
  await page.getByRole('link', { name: 'Home' }).click()
  await page.getByRole('button', { name: 'Restore notes.txt' }).click()
  await press('Restore')
  await closed()
  assert.deepEqual([await read('notes.txt'), await read('code/main.py')], ['first\n', 'print(2)\n'])
})

test('everything comes back, and what was there before is a snapshot of its own', async () => {
  await write('later.txt', 'came later\n')
  await page.goto(`${at}/snapshots`)
  await choose('before the storm', 'Restore everything')
  await press('Restore everything')
  await closed()
  assert.deepEqual([await read('code/main.py'), await read('later.txt')], ['print(1)\n', null])
  await until('the list names both', async () => (await page.getByRole('link', { name: 'Before another one was restored' }).count()) === 2)
  await accessible('snapshots')
})

test('a workspace is made from a snapshot, and a snapshot is deleted', async () => {
  await choose('before the storm', 'New workspace from it')
  await dialog().getByRole('textbox', { name: 'Name' }).fill('Thesis, again')
  await press('Copy')
  await page.getByRole('heading', { name: 'Thesis, again' }).waitFor()
  const made = (await server.api('GET', '/workspaces')).items.find(({ name }) => name === 'Thesis, again')
  assert.equal((await server.tryApi('GET', `/workspaces/${made.id}/files?path=${HOME}/notes.txt`)).text, 'first\n')
  await page.goto(`${at}/snapshots`)
  await choose('before the storm', 'Delete')
  await press('Delete')
  await closed()
  await page.getByRole('link', { name: 'before the storm' }).waitFor({ state: 'hidden' })
  const left = (await server.api('GET', `/workspaces/${work.id}/snapshots`)).items.map(({ reason }) => reason)
  assert.deepEqual(left, ['restore', 'restore'])
})

test('a file that was changed meanwhile is asked about, as often as it takes', async () => {
  await write('notes.txt', 'one\n')
  await type('notes.txt', 'mine')
  await write('notes.txt', 'one, by a program\n')
  await page.keyboard.press('ControlOrMeta+s')
  await dialog().getByText('one, by a program').waitFor()
  assert.equal(await dialog().locator('.cm-content[data-language]').count(), 0, 'a text is no TypeScript')
  await accessible('two who wrote one file')
  await page.keyboard.press('Escape')
  await closed()
  await page.getByRole('button', { name: 'Save' }).click()
  await dialog().getByText('one, by a program').waitFor()
  assert.equal(await read('notes.txt'), 'one, by a program\n', 'nothing was decided yet')
  await press('Save the right side')
  await closed()
  await says('notes.txt is saved.')
  assert.equal(await read('notes.txt'), 'one\nmine')

  await source('notes.txt').click()
  await page.keyboard.type('!')
  await says('not saved')
  await write('notes.txt', 'theirs\n')
  await page.keyboard.press('ControlOrMeta+s')
  await press('Give up mine')
  await closed()
  await source('notes.txt').getByText('theirs').waitFor()
  assert.equal(await read('notes.txt'), 'theirs\n')
})

test('a file that was deleted meanwhile is there again after a second save', async () => {
  await write('gone.txt', 'one\n')
  await type('gone.txt', 'two')
  await server.api('POST', `/workspaces/${work.id}/files`, { operation: 'delete', path: `${HOME}/gone.txt` })
  await page.keyboard.press('ControlOrMeta+s')
  await says('gone.txt was deleted meanwhile.')
  assert.equal(await read('gone.txt'), null)
  await page.getByRole('button', { name: 'Save' }).click()
  await says('gone.txt is saved.')
  assert.equal(await read('gone.txt'), 'one\ntwo')
})

test('an SSH key opens the workspace, and nothing any more once it is removed', async () => {
  const key = join(folder, 'id')
  assert.equal(spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'ada@laptop', '-f', key]).status, 0)
  const ssh = (code = 0) => {
    const words = ['ws', 'ssh', work.id, '-i', key, '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes', '--', 'cat', 'notes.txt']
    return server.cli(words, { code, env: { XDG_CONFIG_HOME: folder } })
  }
  assert.match(ssh(1), /no SSH key yet/)
  const add = async (text) => {
    await dialog().getByLabel('Public key').fill(text)
    await press('Add key')
  }
  await page.goto(`${server.url}/account/ssh-keys`)
  await page.getByRole('button', { name: 'Add key' }).click()
  const sent = []
  page.on('request', (request) => request.method() === 'POST' && sent.push(request.url()))
  await add(readFileSync(key, 'utf8'))
  await says('That was a private key.')
  assert.deepEqual(sent, [], 'a secret is not sent')
  await add('ssh-ed25519 nonsense')
  await says('This is no SSH public key')
  await add(readFileSync(`${key}.pub`, 'utf8'))
  await closed()
  await says('ada@laptop')
  await accessible('SSH keys')
  assert.equal(ssh(), await read('notes.txt'))
  await page.getByRole('button', { name: 'Remove' }).click()
  await press('Remove')
  await says('No SSH keys')
  assert.match(ssh(1), /no SSH key yet/)
})

test('a browser that keeps no cookies of workspaces is told so, and led back', async () => {
  const { page, close } = await openWithoutCookies('[*.]darter-apps.localhost')
  try {
    await signIn(page, server)
    await page.goto(work.addresses.editor)
    await page.getByRole('heading', { name: 'Cookies are switched off' }).waitFor()
    assert.deepEqual(await audit(page), [])
    await page.getByRole('link', { name: 'Open the console' }).click()
    await page.getByRole('heading', { name: 'Thesis' }).waitFor()
  } finally {
    await close()
  }
})

test('a home that is gone from the disk comes back from its newest snapshot, and who it was is told', async () => {
  await write('kept.txt', 'kept\n')
  const { id: snapshot } = await server.api('POST', `/workspaces/${work.id}/snapshots`, { label: 'last' })
  await write('kept.txt', 'later\n')
  await server.api('POST', `/workspaces/${work.id}/stop`)
  rmSync(join(server.data, 'workspaces', work.id), { recursive: true })
  await server.api('POST', `/workspaces/${work.id}/start`)
  await until('it runs', async () => (await server.api('GET', `/workspaces/${work.id}`)).observed.state === 'running')
  assert.equal(await read('kept.txt'), 'kept\n')
  const { observed } = await server.api('GET', `/workspaces/${work.id}`)
  assert.equal(observed.trouble.code, 'workspace.home_restored')
  const rows = (await server.api('GET', '/audit')).items.filter(({ object, operation }) => object === work.id && operation === 'snapshot.restore')
  assert.deepEqual([rows[0].actor, rows[0].details], ['', { snapshot, why: 'home_missing' }])
  await page.goto(at)
  await says('Its files come from a snapshot')
  await accessible('a home that was restored')
})

test('each page of a workspace is accessible with something on it', async () => {
  await page.goto(at)
  await page.getByRole('heading', { name: 'SSH' }).waitFor()
  await accessible('one workspace')
  await page.goto(`${at}/files`)
  await says('notes.txt')
  await accessible('files')
  await page.goto(`${at}/terminal`)
  await says('Connected')
  await accessible('terminal')
  await page.goto(`${at}/ports`)
  await says('Nothing listens yet')
  await accessible('ports')
  await page.goto(`${server.url}/workspaces`)
  await page.getByRole('link', { name: 'Thesis', exact: true }).waitFor()
  await accessible('the list')
})

test('a depth is offered only where the editor has two', async () => {
  await page.goto(`${server.url}/workspaces`)
  await page.getByRole('button', { name: 'New workspace' }).click()
  const light = dialog().getByRole('radio', { name: /^Light/ })
  await dialog().getByText('Node, Python, C, git').click()
  await light.waitFor({ state: 'attached' })
  await accessible('a new workspace')
  await dialog().getByText('JupyterLab', { exact: true }).click()
  await light.waitFor({ state: 'detached' })
  await page.keyboard.press('Escape')
  await closed()
})
