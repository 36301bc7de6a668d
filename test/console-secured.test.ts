/** The console where nodes ask for tokens: a real browser, TLS, and two tokens. */
import type { Page } from 'playwright-core'
import t from 'tap'
import { browserPlace, openBrowser, shoot, watchPage } from './support/browser.ts'
import { prepareSecured, shoal } from './support/secured-cluster.ts'

const place = browserPlace()
const pages = ['overview', 'ring', 'nodes', 'data', 'lab', 'repair', 'events', 'config']

async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Token').fill(token)
  await page.getByRole('button', { name: 'Go on' }).click()
}

t.test(
  'the console of a cluster with tokens',
  { skip: place ? false : 'no chromium; npm run get-tools gets it' },
  async (t) => {
    t.setTimeout(240_000)
    const quiet = ['--repair-quiet-hours', '00:00-24:00']
    const { dir, urls, nodes, file } = await prepareSecured(t, ['n1', 'n2'], quiet)
    const [url = ''] = urls
    const admin = file('token').trim()
    const tokenOf = async (name: string, scope: string): Promise<string> => {
      const words = ['--name', name, '--scopes', scope]
      const { out } = await shoal('secure', 'add-token', dir, ...words)
      return out.split(/\s/).find((word) => word.startsWith('shoal_')) ?? ''
    }
    const reader = await tokenOf('reader', 'read')
    const writer = await tokenOf('writer', 'write')
    await Promise.all(nodes.map((node) => node.start()))

    const browser = await openBrowser(t, place ?? '')
    const context = await browser.newContext({ ignoreHTTPSErrors: true })
    const page = await context.newPage()
    const faults = watchPage(page, [url])
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    const aboutCluster = (): string[] => asked.filter((each) => !each.startsWith(`${url}/ui`))
    const open = (path: string): Promise<unknown> => page.goto(`${url}/ui/#/${path}`)

    await t.test('asks for a token, and asks the node nothing more without one', async (t) => {
      await open('repair')
      await page.getByRole('heading', { name: 'This node asks for a token' }).waitFor()
      await shoot(page, 'secured-asks')
      await signIn(page, `${reader.slice(0, -1)}!`)
      await page.getByRole('heading', { name: 'This token is not valid here' }).waitFor()
      await shoot(page, 'secured-wrong')
      await signIn(page, writer)
      await page.getByRole('heading', { name: 'This token may not look' }).waitFor()
      t.match(await page.getByRole('alert').textContent(), 'has not the scope read')
      t.same(aboutCluster(), Array(3).fill(`${url}/v1/cluster`), 'one question for each try')
    })

    await t.test('shows all to a token that may read, and says what it may not', async (t) => {
      await signIn(page, reader)
      await page.getByTestId('repairs-n2').waitFor()
      const missing = (scope: string): Promise<void> =>
        page
          .getByRole('alert')
          .filter({ hasText: `has not the scope ${scope}` })
          .waitFor()
      await page.getByRole('button', { name: 'Repair now' }).click()
      await missing('admin')
      await open('lab')
      await page.getByRole('button', { name: 'Send' }).click()
      await missing('write')
      await shoot(page, 'secured-may-not-write')
      await open('config')
      await page.getByLabel('Name').fill('carts')
      await page.getByRole('button', { name: 'Save' }).click()
      await missing('admin')
      for (const name of pages) {
        await open(name)
        await page.locator('main h1').first().waitFor()
        t.equal(await page.getByRole('alert').count(), 0, `${name} asks only for what it may`)
      }
    })

    await t.test('forgets the token on request', async (t) => {
      const kept = 'JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie])'
      const [session] = JSON.parse(String(await page.evaluate(kept)))
      t.same(session, { 'shoal-token': reader }, 'it is kept with the tab alone')
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByRole('heading', { name: 'This node asks for a token' }).waitFor()
      t.same(JSON.parse(String(await page.evaluate(kept))), [{}, {}, ''])
    })

    await t.test('does everything with a token for everything', async (t) => {
      await signIn(page, admin)
      await page.locator('main h1').first().waitFor()
      await open('lab')
      await page.getByLabel('Consistency').selectOption('all')
      await page.getByRole('button', { name: 'Send' }).click()
      await page.getByTestId('receipt').filter({ hasText: '2 of 2 replicas answered' }).waitFor()
      await open('repair')
      await page.getByTestId('repairs-n2').filter({ hasText: '256 KiB/s, quiet hours' }).waitFor()
      await page.getByTestId('own-repairs').filter({ hasText: '(UTC): 00:00-24:00' }).waitFor()
      await page.getByLabel('Partition').fill('3')
      await page.getByRole('button', { name: 'Repair now' }).click()
      await page.getByTestId('job-repair').filter({ hasText: 'partition 3: 2 of 2' }).waitFor()
      await open('config')
      await page.getByLabel('Name').fill('carts')
      await page.getByLabel('ttl').fill('60')
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByRole('cell', { name: '60 s' }).waitFor()
      await open('events')
      await page.getByText('following n1').waitFor()
      t.equal(await page.getByRole('alert').count(), 0)
      for (const [scheme, width] of [
        ['light', 1_280],
        ['dark', 380],
      ] as const) {
        await page.emulateMedia({ colorScheme: scheme })
        await page.setViewportSize({ width, height: 800 })
        for (const name of pages) {
          await open(name)
          await page.locator('main h1').first().waitFor()
          await shoot(page, `secured-${name}-${scheme}`)
          const tooWide = await page.evaluate('document.body.scrollWidth - window.innerWidth')
          t.ok(Number(tooWide) <= 0, `${name} fits ${width} pixels`)
        }
      }
    })

    await t.test('asks again when its token was revoked', async (t) => {
      const id = admin.slice(6, 14)
      t.equal((await shoal('secure', 'revoke', dir, id)).code, 0)
      await page.getByRole('heading', { name: 'This token is not valid here' }).waitFor()
      t.pass()
    })

    await t.test('never puts a token into an address, and does nothing else', async (t) => {
      for (const token of [admin, reader, writer]) {
        t.ok(token.length > 40)
        t.notOk(asked.some((each) => each.includes(token.slice(15))))
      }
      t.same(faults, [])
    })
  },
)
