/** The tour in the README as a newcomer takes it: every command in its order, on a new cluster. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type DevCluster, startDev } from './support/dev-cluster.ts'
import { repository } from './support/node-process.ts'
import { hasTour, isSetUp, missingLine, parseTour, Shell } from './support/tour.ts'

t.setTimeout(240_000)

/** What the document names: nodes from here on, the control interface a hundred above. */
const SHOWN_PORT = 4_100

t.test('commands and what they show are found', async (t) => {
  const document = ['<!-- tour -->', '```sh', '$ a \\', '  b', 'one', '', '$ c', '```', '```json']
  t.same(
    parseTour([...document, '$ no', '```', '<!-- end of tour -->', '```sh', '$ d'].join('\n')),
    [
      { command: 'a \\\n  b', shown: ['one'], line: 3 },
      { command: 'c', shown: [], line: 7 },
    ],
  )
})

t.test('what is shown must be there, in its order', async (t) => {
  const output = 'HTTP/1.1 200 OK\r\nDate: Fri, 20 Nov 2026 11:05:51 GMT\r\nA: c1.xy\r\n\r\nmilk'
  const there = [
    ['HTTP/1.1 200 OK', 'milk'],
    ['HTTP/1.1 … OK', '…', 'mi…'],
    ['Date: Sat, 21 Nov 2026 00:00:00 GMT', 'A: c1.other'],
  ]
  for (const shown of there) t.equal(missingLine(shown, output), undefined, shown.join())
  const missing = [['HTTP/1.1 201 OK'], ['milk', 'A: c1.xy'], ['mil'], ['…lks'], ['B: c1.xy']]
  for (const shown of missing) t.equal(missingLine(shown, output), shown.at(-1), shown.join())
})

/** Takes a tour from its first command to its last. */
async function take(t: Test, document: string, { firstPort }: DevCluster): Promise<void> {
  const steps = parseTour(document)
  t.ok(steps.length > 0, `${steps.length} commands`)
  const shell = new Shell({ SHOAL_URL: `http://127.0.0.1:${firstPort}` })
  t.teardown(() => shell.close())
  let context = ''
  for (const step of steps) {
    if (isSetUp(step)) continue
    const command = step.command
      .replace(/c1\.…/g, context)
      .replace(/(127\.0\.0\.1|localhost):(4[12]\d\d)/g, (_all, host: string, port: string) => {
        return `${host}:${Number(port) - SHOWN_PORT + firstPort}`
      })
    const { output, code } = await shell.run(command)
    context = /c1\.[\w-]+/.exec(output)?.[0] ?? context
    const shown = output.replace(/(127\.0\.0\.1|localhost):(\d+)/g, (_all, host, port: string) => {
      return `${host}:${Number(port) - firstPort + SHOWN_PORT}`
    })
    const about = `line ${step.line}: ${step.command.split('\n')[0]}`
    t.equal(missingLine(step.shown, shown), undefined, about, { output })
    if (step.shown.length === 0) t.equal(code, 0, `${about} succeeds`, { output })
  }
}

const dev = await startDev(t)

t.test('a small tour', async (t) => {
  const sample = join(repository, 'test', 'support', 'tour-sample.md')
  await take(t, readFileSync(sample, 'utf8'), dev)
})

for (const name of ['README.md', 'docs/tutorial.md']) {
  const path = join(repository, name)
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const skip = hasTour(text) ? false : `${name} holds no tour yet`

  t.test(`the tour of ${name}, on a cluster of its own`, { skip }, async (t) => {
    const cluster = await startDev(t)
    await take(t, text, cluster)
    await cluster.stop()
  })
}

t.test('the cluster ends when it is told to', async (t) => {
  t.equal(await dev.stop(), 0)
})
