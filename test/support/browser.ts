/** A real browser, looking at the console. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'

/** Where Debian's browser is; undefined where there is none. */
export function browserPlace(): string | undefined {
  const named = /(?:^| )chromium=(\S+)/.exec(process.env.SHOAL_TEST_TOOLS ?? '')?.[1]
  return named ?? (process.env.CI ? '/usr/bin/chromium' : undefined)
}

export async function openBrowser(t: Test, executablePath: string): Promise<Browser> {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  t.teardown(() => browser.close())
  return browser
}

/** What a page did that it should not: errors, and requests to others than it may ask. */
export function watchPage(page: Page, allowed: readonly string[]): string[] {
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`))
  page.on('console', (message) => {
    // A missing key is a 404, and a browser writes each of those down.
    const expected = /Failed to load resource/.test(message.text())
    if (message.type() === 'error' && !expected) faults.push(message.text())
  })
  page.on('request', (request) => {
    const { origin } = new URL(request.url())
    if (!allowed.includes(origin)) faults.push(`asked ${request.url()}`)
  })
  return faults
}

/** Kept for people where `SHOAL_SCREENSHOTS` names a folder. */
export async function shoot(page: Page, name: string): Promise<void> {
  const folder = process.env.SHOAL_SCREENSHOTS
  if (!folder) return
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true })
}
