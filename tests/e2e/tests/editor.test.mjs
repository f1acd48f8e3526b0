// The language server beside the editor: jumps into other functions, and what somebody else saves while a page is open.
import { strict as assert } from 'node:assert'
import { after, before, test } from 'node:test'
import { open } from '../lib/browser.mjs'
import { makeScene, signIn } from '../lib/scene.mjs'
import { Server } from '../lib/server.mjs'

let server
let app
let page
let close

before(async () => {
  server = await Server.start()
  app = await makeScene(server)
  ;({ page, close } = await open())
  await signIn(page, server)
})
after(async () => {
  await close()
  await server.stop()
  Server.cleanUp()
})

async function openOrder() {
  const asked = page.waitForEvent('websocket', (socket) => socket.url().endsWith('/lsp'))
  await page.goto(`${server.url}/apps/${app.id}/code/order`)
  const socket = await asked
  // The answer to the first question about this file: from then on the server knows it.
  await socket.waitForEvent('framereceived', ({ payload }) => /"kind":"full"/.test(String(payload)))
  await page.locator('.cm-line', { hasText: 'price(order.item)' }).waitFor()
}

test('F12 on a name of another function opens that function at its line', async () => {
  await openOrder()
  await page.locator('.cm-line', { hasText: 'price(order.item)' }).getByText('price', { exact: true }).click()
  await page.keyboard.press('F12')
  await page.waitForURL(/\/code\/shop\/prices$/)
  await page.locator('.cm-activeLine', { hasText: 'export const price' }).waitFor()
  assert(await page.evaluate(() => document.activeElement.matches('.cm-content')), 'one can type on')
})

test('what somebody else saves is seen in an editor that is open', async () => {
  await openOrder()
  const path = `/apps/${app.id}/functions/${encodeURIComponent('shop/prices')}`
  const was = await server.api('GET', path)
  const source = was.source.replace('export const price', 'export const cost')
  const now = await server.api('PATCH', path, { source }, { 'if-match': `"${was.revision}"` })
  await page.locator('.cm-lintRange-error').first().waitFor()
  await server.api('PATCH', path, { source: was.source }, { 'if-match': `"${now.revision}"` })
  await page.locator('.cm-lintRange-error').first().waitFor({ state: 'detached' })
})
