// A server with something on every page of the console, and the list of those pages: for tests and pictures that look at all.
import { until } from './server.mjs'

export const PASSWORD = 'a dragonfly at rest'

const ORDER = `import { z } from 'zod'
import { price } from '@/shop/prices'

const Order = z.object({ item: z.string(), amount: z.coerce.number() })

export default async function (ctx: FunctionContext) {
  const order = Order.parse(ctx.query)
  const total = order.amount * price(order.item)
  console.log(\`\${order.amount} × \${order.item} ordered\`)
  return { ...order, total, currency: 'EUR' }
}
`
const PRICES = `const PRICES: Record<string, number> = { tea: 3.5, cake: 4.2 }

export const price = (item: string) => PRICES[item] ?? 0
export default () => PRICES
`

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIII5HFnV4Asi8pyeGkNS5AdEUFRekliHeAheRo3/ivnX ada@laptop'

/** Ada, her app with everything in it, a workspace that sleeps, one of each in the bin, an invitation, a token and a key.
 * Answers the app, with its workspace. */
export async function makeScene(server, { packages = [] } = {}) {
  server.operator('ada')
  const app = await server.makeApp('Corner shop', { 'shop/prices': PRICES, hello: `export default () => 'hello'\n` })
  const path = `/apps/${app.id}`
  if (packages.length) server.cli(['dep', 'add', app.id, ...packages])
  await server.publish(app, 'order', packages.length ? ORDER : ORDER.replace(/import \{ z.*\n/, '').replace(/const Order.*\n\n/, '').replace('Order.parse(ctx.query)', 'ctx.query'))
  await until('it answers', async () => (await server.app(app, '/order?item=tea&amount=2')).status === 200)
  await server.publish(app, 'hello', `export default () => 'hello again'\n`)
  await server.api('PUT', `${path}/environment/GREETING`, { value: 'Good morning' })
  await server.api('PUT', `${path}/secrets/STRIPE_KEY`, { value: 'sk_test' })
  await server.api('POST', `${path}/domains`, { host: 'shop.example.org' })
  const old = await server.makeApp('Old prototype', {})
  await server.api('DELETE', `/apps/${old.id}`)
  // No environment is installed: they sleep.
  const workspace = await server.api('POST', '/workspaces', { name: 'Thesis', environment: 'vscode', start: false })
  const spare = await server.api('POST', '/workspaces', { name: 'Old notebook', environment: 'jupyter', start: false })
  await server.api('DELETE', `/workspaces/${spare.id}`)
  await server.api('POST', '/me/ssh-keys', { public_key: KEY })
  await server.api('POST', '/invitations', { email: 'grace@example.org' })
  await server.api('POST', '/me/tokens', { name: 'laptop', scopes: ['read', 'write'] })
  await givePassword(server, 'ada')
  return { ...app, workspace }
}

/** An account that the command line made has no password yet. */
export async function givePassword(server, name) {
  const reset = JSON.parse(server.cli(['account', 'reset-password', name, '--json', '--data', server.data]))
  await server.tryApi('POST', '/auth/password/reset', { token: reset.token, new: PASSWORD })
}

export async function signIn(page, server, name = 'ada') {
  await page.goto(`${server.url}/sign-in`)
  await page.getByLabel(/User name or e-mail|用户名或/).fill(name)
  await page.locator('input[type=password]').fill(PASSWORD)
  await page.keyboard.press('Enter')
  await page.waitForURL((url) => !url.pathname.startsWith('/sign-in'))
}

/** Pages for somebody who is not signed in. */
export const DOORS = [['sign-in', '/sign-in'], ['sign-up', '/sign-up'], ['forgot', '/forgot']]

/** Pages for the administrator: name and path, and what to do there first. */
export const pagesOf = (app) => {
  const at = `/apps/${app.id}`
  const work = `/workspaces/${app.workspace.id}`
  const editor = (page) => page.getByRole('textbox', { name: /order/ }).waitFor()
  return [
    ['apps', '/'], ['bin', '/bin'],
    ['code', `${at}/code/order`, editor],
    ['publish', `${at}/code/order`, async (page) => {
      await editor(page)
      await page.keyboard.press('Control+Shift+Enter')
      await page.getByRole('dialog').waitFor()
    }],
    ['palette', `${at}/code/order`, async (page) => {
      await editor(page)
      await page.keyboard.press('Control+k')
      await page.getByRole('dialog').waitFor()
    }],
    ['versions', `${at}/versions/hello`], ['logs', `${at}/logs`], ['metrics', `${at}/metrics`],
    ['dependencies', `${at}/dependencies`], ['environment', `${at}/environment`], ['domains', `${at}/domains`],
    ['members', `${at}/members`], ['settings', `${at}/settings`],
    ['workspaces', '/workspaces?refused=workspace.not_found'], ['workspace-bin', '/workspaces/bin'],
    ['workspace', work], ['workspace-snapshots', `${work}/snapshots`], ['workspace-settings', `${work}/settings`],
    ['workspace-new', '/workspaces', async (page) => {
      await page.getByRole('button', { name: /New workspace|新建工作区/ }).click()
      await page.getByRole('dialog').waitFor()
    }],
    ['account', '/account'], ['security', '/account/security'], ['tokens', '/account/tokens'], ['ssh-keys', '/account/ssh-keys'], ['activity', '/account/activity'],
    ['admin-accounts', '/admin/accounts'], ['admin-invitations', '/admin/invitations'], ['admin-settings', '/admin/settings'],
    ['admin-environments', '/admin/environments'],
    ['admin-doctor', '/admin/doctor'], ['admin-audit', '/admin/audit'], ['missing', '/no-such-page'],
  ]
}

/** Opens a page and waits until nothing of it is still loading. */
export async function visit(page, server, [, path, act]) {
  await page.goto(server.url + path)
  await page.locator('h1, .cm-content').first().waitFor()
  await act?.(page)
  await settled(page)
}

/** Nothing of the page is still loading. */
export async function settled(page) {
  await page.waitForFunction(() => !document.querySelector('.skeleton, [aria-busy=true]'))
}
