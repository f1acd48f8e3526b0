// What a person waits for: from the click that makes a workspace until VS Code shows its files, in Chromium on the same
// machine as the server. A profile of its own, on the disk as a person's, has a cold cache; the second workspace in it finds
// the editor's files there. From the third on it finds what it has compiled, too, when the pages before have stayed: that
// is the warm one. (A browser without a profile keeps no compiled code at all.)
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { now, sleep } from './server.mjs'

// The end-to-end tests bring the driver.
const { chromium } = createRequire(new URL('../tests/e2e/package.json', import.meta.url))('playwright-core')

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage',
]
const PASSWORD = 'a dragonfly at rest'
const PATIENCE = 60_000
/** As long as a person stays at least, so that the browser can keep what it has compiled. */
const STAY = 4_000
/** A new home is empty until VS Code's server has put its own folder into it. */
const TREE = { full: '[role=treeitem]', light: '[role=tree]' }

/** A browser with a profile of its own, which goes with it. */
async function launch() {
  const profile = mkdtempSync(join(tmpdir(), 'darter-bench-profile-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS, headless: true,
    viewport: { width: 1280, height: 800 }, permissions: [],
  })
  context.once('close', () => rmSync(profile, { recursive: true, force: true, maxRetries: 3 }))
  return context
}

/** Gives the account a password, so that it can sign in as a person does. */
export async function withPassword(server, name) {
  const made = spawnSync(server.binary, ['account', 'reset-password', name, '--json', '--data', server.data])
  if (made.status !== 0) throw new Error(`account reset-password: ${made.stderr}`)
  const { token } = JSON.parse(made.stdout)
  const answer = await fetch(`http://127.0.0.1:${server.port}/api/v1/auth/password/reset`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token, new: PASSWORD }),
  })
  if (!answer.ok) throw new Error(`password reset: ${answer.status} ${await answer.text()}`)
}

async function signedIn(server, name) {
  const context = await launch()
  const page = await context.newPage()
  page.setDefaultTimeout(PATIENCE)
  await page.goto(`http://darter.localhost:${server.port}/sign-in`)
  await page.getByLabel('User name or e-mail').fill(name)
  await page.locator('input[type=password]').fill(PASSWORD)
  await page.keyboard.press('Enter')
  await page.waitForURL((url) => !url.pathname.startsWith('/sign-in'))
  return { context, page }
}

async function tree(editor, depth) {
  await editor.locator(`.explorer-folders-view ${TREE[depth]}`).first().waitFor({ timeout: PATIENCE })
}

/** One workspace by the dialog; milliseconds from its last click until the file tree of its editor is there. */
async function click(context, page, server, depth) {
  await page.goto(`http://darter.localhost:${server.port}/workspaces`)
  await page.getByRole('button', { name: 'New workspace' }).first().click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('radio', { name: depth === 'light' ? /^Light/ : /^Full/ }).check({ force: true })
  const opened = context.waitForEvent('page', { timeout: PATIENCE })
  const began = now()
  await dialog.getByRole('button', { name: 'Create', exact: false }).click()
  const editor = await opened
  await tree(editor, depth)
  const took = now() - began
  await editor.waitForTimeout(STAY)
  await editor.close()
  const { items } = await server.api('GET', '/workspaces')
  for (const { id } of items) {
    await server.api('DELETE', `/workspaces/${id}`)
    await server.api('DELETE', `/workspaces/${id}/purge`)
  }
  return took
}

/** Cold, second and warm times of so many browsers. */
export async function clicks(server, name, depth, count, settle) {
  const took = { cold: [], second: [], warm: [] }
  for (let turn = 0; turn < count; turn++) {
    const { context, page } = await signedIn(server, name)
    try {
      for (const cache of Object.keys(took)) {
        await settle()
        took[cache].push(await click(context, page, server, depth))
      }
    } finally {
      await context.close()
    }
  }
  return took
}

/** Looks at all of these workspaces, each in a tab of its own; gives what ends that. */
export async function opened(server, name, addresses, depth, stay) {
  const { context } = await signedIn(server, name)
  for (const address of addresses) {
    const editor = await context.newPage()
    await editor.goto(address)
    await tree(editor, depth)
  }
  await sleep(stay)
  return () => context.close()
}
