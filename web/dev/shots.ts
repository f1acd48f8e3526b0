// Development only: walks through the pages in a real browser and keeps pictures, to look at them.
// `node dev/shots.ts OUT [filter]`, against CONSOLE_URL (a `vite preview` or a real server).
import { mkdirSync } from 'node:fs';
import { chromium, type Page } from 'playwright-core';

const base = process.env['CONSOLE_URL'] ?? 'http://127.0.0.1:4173';
const out = process.argv[2] ?? '/tmp/shots';
const filter = process.argv[3] ?? '';
mkdirSync(out, { recursive: true });

const app = '/apps/a1b2c3d4e5';
const run = async (page: Page) => {
  await page.locator('.cm-content').first().waitFor();
  const tab = page.getByRole('button', { name: /^(Run|运行)$/ });
  if (await tab.first().isVisible()) await tab.first().click();
  if ((page.viewportSize()?.width ?? 0) < 768) await page.getByRole('button', { name: /^(Run|运行)$/ }).first().click();
};
const pages: [name: string, path: string, act?: (page: Page) => Promise<void>][] = [
  ['sign-in', '/sign-in'], ['sign-up', '/sign-up'], ['forgot', '/forgot'], ['apps', '/'], ['bin', '/bin'],
  ['code', `${app}/code/hello`, run],
  ['publish', `${app}/code/hello`, async (page) => {
    await page.locator('.cm-content').first().waitFor();
    await page.keyboard.press('Control+Shift+Enter');
  }],
  ['palette', `${app}/code/hello`, async (page) => {
    await page.locator('.cm-content').first().waitFor();
    await page.keyboard.press('Control+k');
  }],
  ['versions', `${app}/versions/hello`], ['logs', `${app}/logs`], ['metrics', `${app}/metrics`], ['dependencies', `${app}/dependencies`],
  ['environment', `${app}/environment`], ['domains', `${app}/domains`], ['members', `${app}/members`], ['settings', `${app}/settings`],
  ['workspaces', '/workspaces?refused=workspace.not_found'], ['workspace-bin', '/workspaces/bin'],
  ['workspace-new', '/workspaces', (page) => page.getByRole('button', { name: /^(New workspace|新建工作区)$/ }).first().click()],
  ['workspace-menu', '/workspaces', (page) => page.getByRole('button', { name: /(Actions|操作) Website/ }).click()],
  ['workspace', '/workspaces/k3m9x2q7ab', (page) => page.waitForTimeout(9_000)], ['workspace-failed', '/workspaces/g6h5j4k3lm'],
  ['workspace-memory', '/workspaces/h7u6y5t4re', (page) => page.waitForTimeout(4_000)], ['workspace-queued', '/workspaces/d1f3g5h7jk'],
  ['workspace-ports', '/workspaces/k3m9x2q7ab/ports'],
  ['workspace-share', '/workspaces/k3m9x2q7ab/ports', async (page) => {
    await page.getByRole('button', { name: /^(Share|分享) 3000/ }).click();
    await page.getByRole('button', { name: /^(Make the link|生成链接)$/ }).click();
  }],
  ['workspace-terminal', '/workspaces/k3m9x2q7ab/terminal', (page) => page.waitForTimeout(1_500)],
  ['workspace-files', '/workspaces/k3m9x2q7ab/files'],
  ['workspace-file', '/workspaces/k3m9x2q7ab/files?path=/home/user&file=/home/user/analysis.py', (page) => page.locator('.cm-content').first().waitFor()],
  ['workspace-settings', '/workspaces/k3m9x2q7ab/settings'],
  ['account', '/account'], ['security', '/account/security'], ['tokens', '/account/tokens'], ['activity', '/account/activity'],
  ['admin-accounts', '/admin/accounts'], ['admin-invitations', '/admin/invitations'], ['admin-settings', '/admin/settings'],
  ['admin-doctor', '/admin/doctor'], ['admin-audit', '/admin/audit'],
];

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const modes = (process.env['MODES'] ?? 'light,dark,phone').split(',');
for (const mode of modes) {
  const phone = mode.startsWith('phone');
  const context = await browser.newContext({
    viewport: phone ? { width: 390, height: 844 } : { width: 1360, height: 860 },
    colorScheme: mode.includes('dark') ? 'dark' : 'light', reducedMotion: 'reduce', locale: mode.includes('zh') ? 'zh-CN' : 'en-GB',
  });
  const page = await context.newPage();
  page.on('console', (message) => { if (message.type() === 'error') console.log(mode, 'console:', message.text().slice(0, 300)); });
  page.on('pageerror', (error) => console.log(mode, 'error:', error.message.slice(0, 300)));
  for (const [name, path, act] of pages) {
    if (filter && !new RegExp(filter).test(name)) continue;
    console.log(mode, name);
    await page.goto(base + path);
    await page.waitForTimeout(700);
    await act?.(page).catch((error: Error) => console.log(mode, name, error.message.slice(0, 200)));
    await page.waitForTimeout(500);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) console.log(mode, name, `is ${wide} px too wide`);
    await page.screenshot({ path: `${out}/${name}-${mode}.png` });
  }
  await context.close();
}
await browser.close();
