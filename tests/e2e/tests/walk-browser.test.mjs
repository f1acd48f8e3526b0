// The whole way in a real browser, as a new user takes it: sign up, make a function, write TypeScript, publish, call it,
// read its log, roll back.
import { strict as assert } from 'node:assert'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { open } from '../lib/browser.mjs'
import { Server, until } from '../lib/server.mjs'

const PICTURES = join(import.meta.dirname, '../results')
let server
let page
let close

before(async () => {
  mkdirSync(PICTURES, { recursive: true })
  server = await Server.start()
  ;({ page, close } = await open())
})
after(async () => {
  await close()
  await server.stop()
  Server.cleanUp()
})

/** Puts a source into the editor as typing would, and waits until the draft is saved. */
async function write(source) {
  const editor = page.getByRole('textbox', { name: /hello/ })
  await editor.click()
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.press('Delete')
  await page.keyboard.insertText(source)
  await page.keyboard.press('ControlOrMeta+s')
}

async function publish(message) {
  await page.getByRole('button', { name: 'Publish', exact: true }).first().click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('textbox').fill(message)
  await dialog.getByRole('button', { name: 'Publish' }).click()
  await dialog.waitFor({ state: 'hidden' })
}

const appId = () => /\/apps\/([a-z0-9]{10})/.exec(page.url())[1]

test('a stranger signs up and is the administrator', async () => {
  await page.goto(server.url)
  await page.waitForURL(/sign-(up|in)/)
  if (/sign-in/.test(page.url())) await page.goto(`${server.url}/sign-up`)
  await page.getByText('Set up this server').waitFor()
  await page.getByLabel('User name').fill('ada')
  await page.getByLabel('E-mail').fill('ada@example.org')
  await page.getByLabel('Password', { exact: true }).fill('correct horse battery')
  await page.getByRole('button', { name: 'Create account' }).click()
  await page.getByRole('button', { name: /Make my first function/ }).waitFor()
  await page.screenshot({ path: join(PICTURES, 'empty.png') })
})

test('one click later there is a function in an editor', async () => {
  await page.getByRole('button', { name: /Make my first function/ }).click()
  await page.waitForURL(/\/apps\/[a-z0-9]{10}\/code\/hello/)
  await page.getByRole('textbox', { name: /hello/ }).waitFor()
})

test('TypeScript is written, published, and answers at its own address', async () => {
  await write(`type Greeting = { hello: string }\nexport default async function (ctx): Promise<Greeting> {\n  console.log('a call from the browser walk')\n  return { hello: String(ctx.query.name ?? 'world') }\n}\n`)
  await publish('first of all')
  const answer = await until('the function answers', async () => {
    const got = await server.app(appId(), '/hello?name=Ada')
    return got.status === 200 && got
  })
  assert.deepEqual(JSON.parse(answer.text), { hello: 'Ada' })
  await page.screenshot({ path: join(PICTURES, 'editor.png') })
})

test('a syntax error is shown at its line and nothing is published', async () => {
  await write('export default () => {\n  return (\n')
  await publish('broken')
  await page.getByRole('alert').first().waitFor()
  assert.deepEqual(JSON.parse((await server.app(appId(), '/hello')).text), { hello: 'world' })
})

test('a second version answers, and one action brings the first back', async () => {
  await write(`export default () => 'second'\n`)
  await publish('second')
  await until('the second version answers', async () => (await server.app(appId(), '/hello')).text === 'second')
  await page.goto(`${server.url}/apps/${appId()}/versions/hello`)
  await page.getByText('first of all').first().click()
  await page.getByRole('button', { name: /roll back|make .*live/i }).first().click()
  const confirm = page.getByRole('dialog').getByRole('button', { name: /roll back|make .*live/i })
  if (await confirm.isVisible().catch(() => false)) await confirm.click()
  await until('the first version answers again', async () => (await server.app(appId(), '/hello')).text.includes('world'))
  await page.screenshot({ path: join(PICTURES, 'versions.png') })
})

test('the log of the call is on the page', async () => {
  await page.goto(`${server.url}/apps/${appId()}/logs`)
  await page.getByText('a call from the browser walk').first().waitFor()
  await page.screenshot({ path: join(PICTURES, 'logs.png') })
})

const LOOKS = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['chinese', { locale: 'zh-CN' }],
  ['phone', { viewport: { width: 390, height: 844 } }],
  ['phone-chinese-dark', { viewport: { width: 390, height: 844 }, locale: 'zh-CN', colorScheme: 'dark' }],
]

for (const [name, options] of LOOKS) {
  test(`the list, the editor and a run fit the look "${name}"`, async () => {
    const app = appId()
    const state = await page.context().storageState()
    const context = await page.context().browser().newContext({ viewport: { width: 1280, height: 800 }, ...options, storageState: state })
    const other = await context.newPage()
    const picture = async (what) => {
      const wide = await other.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      assert(wide <= 0, `${what}: the page is ${wide} px wider than the screen`)
      await other.screenshot({ path: join(PICTURES, `${name}-${what}.png`) })
    }
    await other.goto(server.url)
    await other.locator(`a[href*="${app}"]`).first().waitFor()
    if (options.locale) assert.match(await other.locator('body').innerText(), /[\u4e00-\u9fff]/)
    assert.equal(await other.evaluate(() => document.documentElement.dataset.theme), options.colorScheme ?? 'light')
    await picture('apps')
    await other.goto(`${server.url}/apps/${app}/code/hello`)
    await other.getByRole('textbox', { name: /hello/ }).click()
    await other.keyboard.press('ControlOrMeta+Enter')
    await other.getByText('200', { exact: true }).first().waitFor()
    await picture('run')
    await context.close()
  })
}

test('no page threw an error', () => {
  const unexpected = page.faults.filter((fault) => !/status of (400|401|403|404|409|412|422)/.test(fault))
  assert.deepEqual(unexpected, [])
})
