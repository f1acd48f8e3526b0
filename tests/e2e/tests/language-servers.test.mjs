// Language servers in the light depth of VS Code: started by opening a file, seen in the editor, gone on after a freeze and
// after their end. No server of VS Code runs.
import { strict as assert } from 'node:assert'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import * as editor from '../lib/editors.mjs'
import { Server, pythonIndex, until } from '../lib/server.mjs'
import { Workspace } from '../lib/workspace.mjs'

const PICTURES = join(import.meta.dirname, '../results')
const ENV = { DARTER_ENGINE_ENVIRONMENTS: 'vscode', ...pythonIndex() }
const FILES = {
  'shop.ts': 'const price: number = "free"\nexport function shout(word: string) {\n  return word.toUpperCase()\n}\nshout("hi")\n',
  'count.py': 'total: int = "none"\n',
}
let server
let work
let place
let page
let loaded = 0

before(async () => {
  mkdirSync(PICTURES, { recursive: true })
  server = await Server.start({ data: Server.newData({ environments: true }), env: ENV })
  server.operator('ada')
  await server.installed(['vscode'])
  work = await Workspace.make(server, { name: 'Bench', environment: 'vscode', depth: 'light' })
  for (const [name, text] of Object.entries(FILES)) await work.write(name, text)
  place = await work.enter()
  page = place.page
  page.on('request', (request) => (loaded += request.url().endsWith('/language.js')))
  await editor.opened(page, 'shop.ts')
})
after(async () => {
  await place?.close()
  await server?.stop()
  Server.cleanUp()
})

const status = (title, icon) => page.locator('.statusbar-item', { hasText: title }).locator(`.codicon-${icon}`).first()
const word = (text) => page.locator('.view-line span', { hasText: new RegExp(`^${text}$`) }).first()
/** The command lines of what runs for the tenant. */
const runs = (program) => work.run(`cat /proc/[0-9]*/cmdline | tr '\\0' ' '`).includes(program)

async function problem(text) {
  await page.locator('.markers-panel .monaco-list-row', { hasText: text }).first().waitFor()
}

test('nothing runs before a file is opened; then what is wrong with it is among the problems', async () => {
  assert(!runs('tsc --lsp') && loaded === 0)
  await editor.tree(page, 'shop.ts').dblclick()
  await status('TypeScript', 'check').waitFor()
  await editor.command(page, 'Problems: Focus on Problems View')
  await problem("Type 'string' is not assignable to type 'number'")
  assert(loaded === 1 && runs('tsc --lsp') && !runs('pyrefly') && !runs('server-main.js'))
})

test('a name says what it is, completes, and leads to where it is defined', async () => {
  await word('word').hover()
  await page.locator('.monaco-hover', { hasText: '(parameter) word: string' }).first().waitFor()
  await page.locator('.view-line', { hasText: 'shout("hi")' }).click()
  await page.keyboard.press('Home')
  await page.keyboard.press('F12')
  await page.locator('.statusbar-item', { hasText: 'Ln 2, Col 17' }).first().waitFor()
  await page.keyboard.press('F2')
  await page.locator('.rename-box input').fill('whisper')
  await page.keyboard.press('Enter')
  await page.locator('.view-line', { hasText: 'whisper("hi")' }).waitFor()
  await page.keyboard.press('Control+End')
  await page.keyboard.type('"x".toLowerC')
  await page.keyboard.press('Control+Space')
  await page.locator('.suggest-widget .monaco-list-row', { hasText: 'toLowerCase' }).first().waitFor()
  await page.keyboard.press('Escape')
  await page.screenshot({ path: join(PICTURES, 'language-server.png') })
})

test('it goes on after a freeze, and is started again when it was killed', async () => {
  const rest = (await work.look()).rest
  await work.change({ rest: { ...rest, freeze_after_ms: 500, freeze_open_after_ms: 500 } })
  await work.inState('frozen', 'reclaimed')
  await work.change({ rest })
  await page.keyboard.press('Control+End')
  await page.keyboard.type('ase()\nwhisper(7)\n')
  await problem("Argument of type 'number' is not assignable to parameter of type 'string'")
  work.run('for one in /proc/[0-9]*; do [ "$(cat $one/comm)" = tsc ] && kill -9 "${one#/proc/}"; done; true')
  await status('TypeScript', 'loading').waitFor()
  await status('TypeScript', 'check').waitFor()
  await problem("Type 'string' is not assignable to type 'number'")
  await until('it runs again', () => runs('tsc --lsp'))
})

test('Python has its own', async () => {
  await editor.tree(page, 'count.py').dblclick()
  await status('Python', 'check').waitFor()
  await problem('is not assignable to `int`')
})
