// From the first page to a published function without a mouse, and the focus can be seen all the way.
import { strict as assert } from 'node:assert'
import { after, before, test } from 'node:test'
import { open } from '../lib/browser.mjs'
import { Server, until } from '../lib/server.mjs'

let server
let page
let close

before(async () => {
  server = await Server.start()
  ;({ page, close } = await open({ reducedMotion: 'reduce' }))
})
after(async () => {
  await close()
  await server.stop()
  Server.cleanUp()
})

/** What has the focus: its words, and whether anything shows that it has it. */
function focused() {
  return page.evaluate(() => {
    const here = document.activeElement
    if (here === document.body) return { name: '', shown: true, role: null }
    const style = getComputedStyle(here)
    const name = here.getAttribute('aria-label') || here.labels?.[0]?.textContent || here.textContent || here.tagName
    const shown = style.outlineStyle !== 'none' || style.boxShadow !== 'none' || here.matches('.cm-content')
    return { name: name.replace(/\s+/g, ' ').trim(), shown, role: here.getAttribute('role') }
  })
}

/** Presses Tab until what is wanted has the focus. */
async function tabTo(wanted, most = 40) {
  const seen = []
  for (let step = 0; step < most; step += 1) {
    const here = await focused()
    assert(here.shown, `the focus is on "${here.name}" and nothing shows it`)
    if (wanted.test(here.name)) return here
    seen.push(here.name)
    await page.keyboard.press('Tab')
  }
  throw new Error(`no ${wanted} within ${most} tabs: ${seen.join(' | ')}`)
}

const fill = async (label, text) => {
  await tabTo(label)
  await page.keyboard.insertText(text)
}

test('an account is made', async () => {
  await page.goto(`${server.url}/sign-up`)
  await page.getByLabel('User name').waitFor()
  await fill(/^User name/, 'ada')
  await fill(/^E-mail/, 'ada@example.org')
  await fill(/^Password/, 'correct horse battery')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: /Make my first function/ }).waitFor()
})

test('the first function is made, written and published', async () => {
  await tabTo(/Make my first function/)
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/apps\/[a-z0-9]{10}\/code\/hello/)
  await page.getByRole('textbox', { name: /hello/ }).waitFor()
  await tabTo(/^Source of hello/, 60)
  assert.equal((await focused()).role, 'textbox', 'the editor takes the focus')
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.insertText(`export default () => 'made by keyboard'\n`)
  await page.keyboard.press('ControlOrMeta+Shift+Enter')
  const dialog = page.getByRole('dialog')
  await dialog.waitFor()
  await page.keyboard.insertText('without a mouse')
  await page.keyboard.press('Enter')
  await dialog.waitFor({ state: 'hidden' })
  const app = /\/apps\/([a-z0-9]{10})/.exec(page.url())[1]
  await until('the function answers', async () => (await server.app(app, '/hello')).text === 'made by keyboard')
})

test('Escape leaves the editor to the Tab key, and the palette leads anywhere', async () => {
  await page.getByRole('textbox', { name: /hello/ }).focus()
  await page.keyboard.press('Escape')
  await page.keyboard.press('Tab')
  assert(!(await page.evaluate(() => document.activeElement.matches('.cm-content'))), 'Tab leaves the editor after Escape')
  await page.keyboard.press('ControlOrMeta+k')
  await page.getByRole('dialog').waitFor()
  await page.keyboard.insertText('logs')
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/logs$/)
})

test('a workspace is renamed, put into the bin and brought back', async () => {
  // No environment is installed here, so it sleeps; its pages are the same.
  await page.keyboard.press('Escape')
  await page.evaluate(() => fetch('/api/v1/workspaces', {
    method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Thesis', environment: 'vscode', start: false }),
  }))
  await page.goto(`${server.url}/workspaces`)
  await page.getByRole('link', { name: 'Thesis', exact: true }).waitFor()
  await tabTo(/^Thesis$/)
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Thesis' }).waitFor()
  await tabTo(/^Settings$/)
  await page.keyboard.press('Enter')
  await page.getByRole('textbox', { name: 'Name' }).waitFor()
  await tabTo(/^Name/)
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.insertText('Book')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Book' }).waitFor()
  await page.goto(page.url().replace('/settings', ''))
  await page.getByRole('heading', { name: 'Book' }).waitFor()
  await tabTo(/^Actions Book/)
  await page.keyboard.press('Enter')
  await page.getByRole('menuitem', { name: 'Delete' }).waitFor()
  await page.keyboard.press('End')
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').waitFor()
  await tabTo(/^Delete$/)
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/workspaces$/)
  await page.goto(`${server.url}/workspaces/bin`)
  await page.getByRole('button', { name: 'Restore' }).waitFor()
  await tabTo(/^Restore$/)
  await page.keyboard.press('Enter')
  await page.getByText('The bin is empty').waitFor()
})
