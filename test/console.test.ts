/** The console as a newcomer uses it: a real browser, a real cluster, no documents. */
import t from 'tap'
import { browserPlace, openBrowser, shoot, watchPage } from './support/browser.ts'
import { startDev } from './support/dev-cluster.ts'
import { until } from './support/until.ts'

const place = browserPlace()

t.test(
  'the console',
  { skip: place ? false : 'no chromium; npm run get-tools gets it' },
  async (t) => {
    t.setTimeout(240_000)
    const dev = await startDev(t)
    const browser = await openBrowser(t, place ?? '')
    const context = await browser.newContext({ viewport: { width: 1_280, height: 860 } })
    const page = await context.newPage()
    const control = `http://127.0.0.1:${dev.firstPort + 100}`
    const faults = watchPage(page, [dev.url, control])
    const open = (path: string): Promise<unknown> => page.goto(`${dev.url}/ui/#/${path}`)

    await t.test('tells how the cluster is, first of all', async (t) => {
      await page.goto(`${dev.url}/ui`)
      const verdict = page.getByTestId('verdict')
      await verdict.filter({ hasText: 'healthy: can lose 1 node' }).waitFor()
      await shoot(page, 'overview')
      t.equal(await page.title(), 'Overview · Shoal')
    })

    await t.test('shows every page, wide and narrow, light and dark', async (t) => {
      const pages = ['overview', 'ring', 'nodes', 'data', 'lab', 'repair', 'events', 'config']
      for (const name of pages) {
        await open(name)
        await page.locator('main h1').first().waitFor()
        await shoot(page, name)
      }
      await page.emulateMedia({ colorScheme: 'dark' })
      await page.setViewportSize({ width: 380, height: 760 })
      for (const name of pages) {
        await open(name)
        await page.locator('main h1').first().waitFor()
        await shoot(page, `${name}-narrow-dark`)
        const tooWide = await page.evaluate('document.body.scrollWidth - window.innerWidth')
        t.ok(Number(tooWide) <= 0, `${name} fits on a phone`)
      }
      await page.emulateMedia({ colorScheme: 'light' })
      await page.setViewportSize({ width: 1_280, height: 860 })
    })

    await t.test('can be used with the keyboard alone', async (t) => {
      await open('overview')
      await page.reload()
      await page.getByTestId('verdict').waitFor()
      await page.keyboard.press('Tab')
      t.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the content')
      for (let pressed = 0; pressed < 3; pressed++) await page.keyboard.press('Tab')
      await page.keyboard.press('Enter')
      await page.getByTestId('preference-list').waitFor()
      t.match(page.url(), /#\/ring$/)
    })

    await t.test('shows which replicas answered a write', async (t) => {
      await open('lab')
      await page.getByLabel('Consistency').selectOption('all')
      await page.getByRole('button', { name: 'Send' }).click()
      await page.getByTestId('receipt').filter({ hasText: '3 of 3 replicas answered' }).waitFor()
      const timeline = page.getByTestId('timeline')
      for (const node of ['n1', 'n2', 'n3']) {
        await timeline.locator('.lane', { hasText: node }).filter({ hasText: 'durable' }).waitFor()
      }
      await page.getByTestId('holders').filter({ hasText: 'all copies are equal' }).waitFor()
      await shoot(page, 'lab-answered')
      t.pass()
    })

    await t.test('resolves a conflict', async (t) => {
      const value = `${dev.url}/v1/kv/carts/alice`
      const json = { 'content-type': 'application/json' }
      const body = JSON.stringify({ blindWrites: 'sibling' })
      await fetch(`${dev.url}/v1/buckets/carts`, { method: 'PUT', headers: json, body })
      const text = { 'content-type': 'text/plain' }
      await fetch(value, { method: 'PUT', headers: text, body: 'milk' })
      await fetch(value, { method: 'PUT', headers: text, body: 'bread' })

      await open('data?bucket=carts&key=alice')
      await page.getByTestId('siblings').filter({ hasText: '2 values' }).waitFor()
      await shoot(page, 'data-conflict')
      await page.getByRole('button', { name: 'Begin with this one' }).first().click()
      await page.getByTestId('draft').fill('milk and bread')
      await page.getByRole('button', { name: 'Resolve with this value' }).click()
      await page.getByTestId('siblings').waitFor({ state: 'detached' })
      const answer = await fetch(value)
      t.equal(answer.status, 200)
      t.equal(await answer.text(), 'milk and bread')
      t.match(await page.locator('main pre').first().textContent(), 'milk and bread')
      await shoot(page, 'data-resolved')
    })

    await t.test('cuts a link, and watches a hint appear and drain', async (t) => {
      await open('nodes')
      await page.getByRole('button', { name: 'Cut n1–n2' }).click()
      await page.getByRole('button', { name: 'Heal n1–n2' }).waitFor()
      await shoot(page, 'nodes-cut')

      await until(
        'a write is missed by n2',
        async () => {
          await open('lab')
          await page.getByLabel('Key').fill(`missed-${Math.random()}`)
          await page.getByRole('button', { name: 'Send' }).click()
          await page.getByTestId('receipt').waitFor()
          await open('repair')
          await page.getByTestId('hints-n2').or(page.getByTestId('no-hints')).waitFor()
          const told = page.getByTestId('hints-n2')
          const words = (await told.count()) > 0 ? await told.textContent() : ''
          return words?.includes(', oldest ')
        },
        30_000,
      )
      await shoot(page, 'repair-hint')

      await open('nodes')
      await page.getByRole('button', { name: 'Heal n1–n2' }).click()
      await page.getByRole('button', { name: 'Cut n1–n2' }).waitFor()
      await open('repair')
      await page.getByTestId('no-hints').waitFor({ timeout: 60_000 })
      await shoot(page, 'repair-drained')
      t.pass()
    })

    await t.test('repairs one partition, and only that one', async (t) => {
      await open('repair')
      await page.getByTestId('repairs-n3').waitFor()
      await page.getByLabel('Partition').fill('7')
      const asked = page.waitForRequest((request) => request.method() === 'POST')
      await page.getByRole('button', { name: 'Repair now' }).click()
      t.equal((await asked).url(), `${dev.url}/v1/repairs?partition=7`)
      const job = page.getByTestId('job-repair')
      await job.filter({ hasText: 'repair: done' }).waitFor()
      await shoot(page, 'repair-done')
      // The scrub, and a comparison with each of the two other replicas.
      t.match(await job.textContent(), 'partition 7: 3 of 3 steps')
      t.equal(await job.count(), 1)
      const jobs = await fetch(`${dev.url}/v1/repairs`).then((answer) => answer.json())
      t.match(jobs, { jobs: [{ detail: /^partition 7: 3 of 3 steps/ }] })
      t.equal((jobs as { jobs: unknown[] }).jobs.length, 1)
    })

    await t.test('holds background work, and tells it on both pages', async (t) => {
      await page.getByRole('button', { name: 'Pause' }).click()
      await page.getByTestId('repairs-n1').filter({ hasText: 'paused' }).waitFor()
      await shoot(page, 'repair-paused')
      await page.getByRole('button', { name: 'Go on' }).click()
      await page
        .getByTestId('repairs-n1')
        .filter({ hasText: 'KiB/s' })
        .or(page.getByTestId('repairs-n1').filter({ hasText: 'MiB/s' }))
        .waitFor()
      await open('overview')
      await page
        .getByTestId('debt')
        .filter({ hasText: /\d+ (s|min)/ })
        .waitFor()
      t.pass()
    })

    await t.test('does nothing else', async (t) => {
      t.same(faults, [])
    })
  },
)
