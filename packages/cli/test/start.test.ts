/** `shoal start` as a process: how it begins, what it says, and how it ends. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import picocolors from 'picocolors'
import t from 'tap'
import { jsonLine, textLine } from '../src/node/log.ts'
import { freePorts, Running, shoal } from './support/shoal.ts'

const folder = mkdtempSync(join(tmpdir(), 'shoal-test-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))

const secret = join(folder, 'secret')
writeFileSync(secret, `${'s'.repeat(40)}\n`)

let count = 0
const newData = (): string => join(folder, `data-${count++}`)

/** Parameters of a cluster of one. */
function alone(port: number, data: string, ...more: string[]): string[] {
  const url = `http://127.0.0.1:${port}`
  const own = ['--node-id', 'n1', '--listen', `127.0.0.1:${port}`, '--data', data]
  return ['start', ...own, '--peers', `n1=${url}`, '--secret-file', secret, ...more]
}

t.test('it says ready with its URL, serves, drains on SIGTERM and ends with 0', async (t) => {
  const port = await freePorts(1)
  const node = new Running(alone(port, newData()))
  t.teardown(() => node.stop('SIGKILL'))
  await node.shows(`ready http://127.0.0.1:${port}\n`)
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`)
  t.equal(answer.status, 200)
  t.equal(await node.stop('SIGTERM'), 0)
  t.match(node.output, /stopping[\s\S]*stopped/)
})

t.test('with --log json every line is JSON', async (t) => {
  const port = await freePorts(1)
  const node = new Running(alone(port, newData(), '--log', 'json'))
  t.teardown(() => node.stop('SIGKILL'))
  await node.shows('"msg":"ready"')
  t.equal(await node.stop('SIGINT'), 0)
  const lines = node.output.trim().split('\n')
  const parsed = lines.map((line) => JSON.parse(line) as { msg: string; url?: string })
  t.match(
    parsed.find(({ msg }) => msg === 'ready'),
    { url: `http://127.0.0.1:${port}`, level: 'info', time: /^\d{4}-.*Z$/ },
  )
})

t.test('a taken address is told with its code, a hint, and exit code 3', async (t) => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const { code, stdout, stderr } = await shoal(alone(port, newData()))
  t.equal(code, 3)
  t.notMatch(stdout, /ready/)
  t.match(stderr, /error: SHOAL_ADDRESS_IN_USE .*[\s\S]*hint: /)
  await new Promise((resolve) => server.close(resolve))
})

t.test('the data of another node is refused with exit code 2', async (t) => {
  const port = await freePorts(2)
  const data = newData()
  const first = new Running(alone(port, data))
  t.teardown(() => first.stop('SIGKILL'))
  await first.shows('ready')

  const locked = await shoal(alone(port + 1, data))
  t.match(locked, { code: /^[23]$/, stderr: /error: SHOAL_STORE_(LOCKED|FOREIGN|DAMAGED)/ })

  t.equal(await first.stop(), 0)
  const other = alone(port, data).map((word) => word.replace(/^n1/, 'n2'))
  t.match(await shoal(other), { code: 2, stderr: /error: SHOAL_STORE_FOREIGN/ })
})

t.test('nodes with different secrets tell each other so, and one ends', async (t) => {
  const port = await freePorts(2)
  const urls = [port, port + 1].map((each) => `http://127.0.0.1:${each}`)
  const peers = `n1=${urls[0]},n2=${urls[1]}`
  const otherSecret = join(folder, 'other-secret')
  writeFileSync(otherSecret, 'x'.repeat(40))
  const start = (id: string, listen: number, secretFile: string): Running =>
    new Running([
      ...['start', '--node-id', id, '--listen', `127.0.0.1:${listen}`, '--data', newData()],
      ...['--peers', peers, '--secret-file', secretFile],
    ])
  const one = start('n1', port, secret)
  const other = start('n2', port + 1, otherSecret)
  t.teardown(() => Promise.all([one.stop('SIGKILL'), other.stop('SIGKILL')]))
  const ended = await Promise.race([
    one.ended.then((code) => ({ code, output: one.output })),
    other.ended.then((code) => ({ code, output: other.output })),
  ])
  t.equal(ended.code, 2)
  t.match(ended.output, 'SHOAL_SECRET_WRONG')
})

t.test('lines of the log', async (t) => {
  const plain = picocolors.createColors(false)
  const time = new Date('2026-01-31T10:20:30.123Z')
  const details = { peer: 'n2', reason: 'wrong secret', ms: 3, nothing: undefined }
  const entry = { time, level: 'warn' as const, message: 'peer refused', details }
  t.equal(
    textLine(entry, plain),
    '10:20:30.123 warn  peer refused  peer=n2  reason="wrong secret"  ms=3',
  )
  t.equal(
    jsonLine({ time, level: 'info', message: 'ready', details: { url: 'http://a' } }),
    '{"time":"2026-01-31T10:20:30.123Z","level":"info","msg":"ready","url":"http://a"}',
  )
  const failed = { ...entry, details: { error: new TypeError('odd') } }
  t.match(JSON.parse(jsonLine(failed)), { error: { message: 'odd', stack: /TypeError/ } })
  t.match(textLine(failed, plain), 'error="odd"')
})
