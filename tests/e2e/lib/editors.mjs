// VS Code and JupyterLab in a page, driven as a person would. Every step waits for what a person would see.
import { until } from './server.mjs'

/** Editors are slow to come on a loaded machine; nothing here measures how slow. */
const PATIENCE = 180_000

export const tree = (page, name) => page.getByRole('treeitem', { name }).first()

/** The page of VS Code, once its file tree shows a file. */
export async function opened(page, file) {
  await tree(page, file).waitFor({ timeout: PATIENCE })
}

/** A command of the palette: typed until it is the first choice, because early keys are lost while the page loads. */
export async function command(page, text) {
  const input = page.locator('.quick-input-widget input').first()
  const choice = page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first()
  await until(`the palette offers “${text}”`, async () => {
    await page.keyboard.press('Escape')
    await page.keyboard.press('F1')
    try {
      await input.waitFor({ timeout: 5_000 })
      await input.fill(`>${text}`)
      await choice.waitFor({ timeout: 10_000 })
      return true
    } catch {
      return false
    }
  }, PATIENCE / 1_000)
  await choice.click()
}

/** Opens a file, writes at its end and saves it. */
export async function edit(page, file, text) {
  await tree(page, file).dblclick()
  await page.locator('.editor-instance .view-line').first().waitFor({ timeout: PATIENCE })
  await page.locator('.editor-instance .view-lines').first().click()
  await page.keyboard.press('Control+End')
  await page.keyboard.type(text)
  await page.keyboard.press('Control+s')
  await page.locator(`.tab.dirty[data-resource-name="${file}"]`).waitFor({ state: 'hidden', timeout: PATIENCE })
}

/** Shows a file with this text in it. */
export async function shows(page, file, text) {
  await tree(page, file).dblclick()
  await page.locator('.view-line', { hasText: text }).first().waitFor({ timeout: PATIENCE })
}

/** A new terminal, and a line in it that makes a file which then shows in the tree. */
export async function terminal(page, line, makes) {
  await command(page, 'Terminal: Create New Terminal')
  const screen = page.locator('.xterm-screen').filter({ visible: true }).last()
  await screen.waitFor({ timeout: PATIENCE })
  await until('the shell takes a line', async () => {
    await screen.click()
    await page.keyboard.type(`${line}\n`)
    return tree(page, makes).waitFor({ timeout: 15_000 }).then(() => true, () => false)
  }, PATIENCE / 1_000)
}

/** A new notebook; `source` is run in its first cell until `result` shows. */
export async function notebook(page, source, result) {
  const card = page.locator('.jp-LauncherCard[data-category="Notebook"]').first()
  await card.waitFor({ timeout: PATIENCE })
  await card.click()
  // JupyterLab drops what is run before its kernel is connected. The circle beside the notebook says "idle" also then.
  await page.locator('#jp-bottom-panel, #jp-main-statusbar').getByText(/\| Idle$/).first().waitFor({ timeout: PATIENCE })
  await run(page, source, result)
}

/** Runs `source` in the last cell until `result` shows. */
export async function run(page, source, result) {
  await page.locator('.jp-Notebook .jp-Cell .cm-content').last().click()
  await page.keyboard.type(source)
  await page.keyboard.press('Shift+Enter')
  await page.locator('.jp-OutputArea-output', { hasText: result }).first().waitFor({ timeout: PATIENCE })
}
