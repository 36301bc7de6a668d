/** `shoal dev` with real nodes, and the commands that talk to them. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { freePorts, Running, shoal } from './support/shoal.ts'

interface Ready {
  readonly nodes: readonly { readonly id: string; readonly url: string }[]
  readonly data: string
  readonly chaos?: string
}

interface Dev extends Ready {
  readonly running: Running
  readonly port: number
}

async function dev(t: Test, nodes: number, ...more: string[]): Promise<Dev> {
  const port = await freePorts(nodes)
  const running = new Running(['dev', '--json', '--port', String(port), ...more])
  t.teardown(() => running.stop('SIGTERM'))
  await running.shows(/^\{"ready":true.*\}$/m)
  const [line = ''] = /^\{"ready":true.*\}$/m.exec(running.output) ?? []
  return { ...(JSON.parse(line) as Ready), running, port }
}

const scratch = (t: Test): string => {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-test-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const listens = async (url: string): Promise<boolean> => {
  try {
    await fetch(`${url}/livez`)
    return true
  } catch {
    return false
  }
}

t.test('a cluster of three, through its life', async (t) => {
  const { nodes, data, chaos = '', running } = await dev(t, 3, '--chaos')
  const [n1 = '', n2 = '', n3 = ''] = nodes.map(({ url }) => url)
  const at = (url: string, ...parameters: string[]) => shoal([...parameters, '--url', url])
  const tell = async (path: string) => {
    const answer = await fetch(`${chaos}/${path}`, { method: 'POST' })
    t.equal(answer.status, 200, path)
  }
  const cause = (action: string) => tell(`nodes/${action}`)
  /** Nodes notice each other's coming and going within moments, not at once. */
  const until = async (url: string, verdict: RegExp) => {
    for (;;) {
      const { stdout } = await at(url, 'status')
      if (verdict.test(stdout)) return stdout
    }
  }

  await t.test('it is whole when it says that it is ready', async (t) => {
    const { code, stdout } = await at(n1, 'status', '--json')
    t.equal(code, 0)
    t.match(JSON.parse(stdout), {
      status: 'healthy',
      verdict: 'healthy: can lose 1 node',
      askedNode: 'n1',
      warnings: [],
      nodes: [
        { id: 'n1', state: 'up', copies: 256, freeBytes: Number },
        { id: 'n2', state: 'up' },
        { id: 'n3', state: 'up', url: n3 },
      ],
    })
  })

  await t.test('a write through one node is read through the others', async (t) => {
    const { stderr } = await at(n1, 'put', 'carts', '42', 'milk')
    t.match(stderr, /written to \d of 3 replicas[\s\S]*context c1\./)
    for (const url of [n2, n3]) {
      t.match(await at(url, 'get', 'carts', '42', '-q'), { code: 0, stdout: 'milk' })
    }
    t.match(await at(n2, 'get', 'carts', 'nothing'), { code: 1, stdout: '' })
    t.match(await at(n2, 'list', 'carts'), { code: 0, stdout: '42\n' })
  })

  await t.test(
    'two writes with one context are siblings, the joined context ends them',
    async (t) => {
      const contextOf = ({ stdout }: { stdout: string }): string =>
        (JSON.parse(stdout) as { context: string }).context
      const before = contextOf(await at(n1, 'get', 'carts', '42', '--json'))
      await at(n1, 'put', 'carts', '42', 'bread', '--context', before)
      await at(n2, 'put', 'carts', '42', 'butter', '--context', before)
      const both = await at(n3, 'get', 'carts', '42', '--consistency', 'all')
      t.equal(both.code, 0)
      t.match(both.stdout, /^2 values[\s\S]*bread|butter/)
      const read = await at(n3, 'get', 'carts', '42', '--json')
      const { siblings } = JSON.parse(read.stdout) as {
        siblings: { etag: string; value: string }[]
      }
      t.same(siblings.map(({ value }) => value).sort(), ['bread', 'butter'])
      const [one] = siblings
      t.match(await at(n1, 'get', 'carts', '42', '-q', '--sibling', one?.etag ?? ''), {
        code: 0,
        stdout: one?.value,
      })
      await at(n1, 'put', 'carts', '42', 'sandwich', '--context', contextOf(read))
      t.match(await at(n2, 'get', 'carts', '42', '-q'), { code: 0, stdout: 'sandwich' })
    },
  )

  await t.test('a request shows what happened to it on its way', async (t) => {
    const { stderr } = await at(n1, 'put', 'carts', '44', 'oil', '--trace')
    t.match(stderr, /^trace [0-9a-f]+ of n\d$/m)
    t.match(stderr, /^ +[\d.]+ ms {2}n\d {2}durable/m)
    const { stdout } = await at(n2, 'get', 'carts', '44', '--trace', '--json')
    t.match(JSON.parse(stdout), { trace: { operation: 'get', events: [{ node: /^n\d$/ }] } })
  })

  await t.test('the state again and again', async (t) => {
    const watching = new Running(['status', '--watch', '1', '--json', '--url', n1])
    t.teardown(() => watching.stop('SIGKILL'))
    await watching.shows(/("verdict":"healthy[^\n]*\n.*){2}/s)
    await watching.stop('SIGINT')
    const lines = watching.output.trim().split('\n')
    for (const line of lines) t.match(JSON.parse(line), { time: /Z$/, status: 'healthy' })
  })

  await t.test('where the key lives', async (t) => {
    const { stdout } = await at(n1, 'explain', 'carts', '42')
    t.match(stdout, /^token [0-9a-f]{16}, partition \d+$/m)
    t.match(stdout, /^preference list: n\d, n\d, n\d$/m)
    t.match(stdout, /3 replicas agree/)
    const ring = await at(n1, 'ring', '--table')
    t.match(ring.stdout, /^epoch 1, 256 partitions, 3 copies of each on 3 nodes/)
    t.match(ring.stdout, /^ {2}255 {2}n\d {2}n\d {2}n\d$/m)
  })

  await t.test('a load is bounded and measured', async (t) => {
    const parameters = ['--seconds', '1', '--keys', '100', '--value-bytes', '100', '--json']
    const { code, stdout } = await at(n1, 'bench', ...parameters)
    t.equal(code, 0)
    t.match(JSON.parse(stdout), {
      keys: 100,
      reads: { latencyMs: { p50: Number, p99: Number } },
      writes: { count: Number },
      errors: {},
      failed: 0,
    })
  })

  await t.test('with one node down, quorum works and all does not', async (t) => {
    await cause('n3/kill')
    await until(n1, /^degraded: n3 cannot be reached/)
    t.match(await at(n1, 'put', 'carts', '43', 'eggs'), { code: 0 })
    const all = await at(n1, 'put', 'carts', '43', 'ham', '--consistency', 'all')
    t.equal(all.code, 3)
    t.match(all.stderr, /SHOAL_QUORUM_UNREACHABLE[\s\S]*not-applied/)
    t.match(await at(n1, 'explain', 'carts', '43'), { stdout: /n3 +primary +unreachable/ })
  })

  await t.test('with two down, one works and quorum does not', async (t) => {
    await cause('n2/stop')
    await until(n1, /^unavailable: /)
    t.match(await at(n1, 'get', 'carts', '43', '-q', '--consistency', 'one'), {
      code: 0,
      stdout: 'eggs',
    })
    t.match(await at(n1, 'get', 'carts', '43'), { code: 3, stderr: /SHOAL_QUORUM_UNREACHABLE/ })
    t.match(await at(n1, 'status'), { code: 3 })
  })

  await t.test('started again they are whole again', async (t) => {
    await cause('n2/start')
    await cause('n3/start')
    await until(n1, /^healthy: /)
    await until(n3, /^healthy: /)
    t.match(await at(n3, 'get', 'carts', '42', '-q'), { code: 0, stdout: 'sandwich' })
  })

  await t.test('with its links cut a node is alone, healed it is not', async (t) => {
    await tell('links/n1/n3/cut')
    await tell('links/n2/n3/cut')
    await until(n1, /^degraded: n3 cannot be reached/)
    await until(n3, /^unavailable: /)
    t.match(await at(n2, 'put', 'carts', '45', 'salt'), { code: 0 })
    await tell('heal')
    await until(n3, /^healthy: /)
    t.match(await at(n3, 'get', 'carts', '45', '-q'), { code: 0, stdout: 'salt' })
  })

  await t.test('a node that somebody else kills is reported', async () => {
    const list = await fetch(`${chaos}/nodes`)
    const [, second] = (await list.json()) as { pid: number }[]
    process.kill(second?.pid ?? 0, 'SIGKILL')
    await running.shows(/n2 has ended by itself: signal SIGKILL\. Its last lines:\n {2}\S/)
    await running.shows(/start it again: shoal start --node-id n2/)
  })

  await t.test('SIGTERM stops everything and removes what was temporary', async (t) => {
    t.ok(existsSync(join(data, 'n1', 'SHOAL')))
    t.equal(await running.stop('SIGTERM'), 0)
    t.notOk(existsSync(data), data)
    t.same(await Promise.all([n1, n2, n3, chaos].map(listens)), [false, false, false, false])
    t.match(running.output, /n1 \| .*stopped/, 'in good order')
  })
})

t.test('nodes that ask for tokens are whole as quickly, and it says how to try them', async (t) => {
  const folder = scratch(t)
  const dir = join(folder, 'made')
  t.match(await shoal(['secure', 'init', dir, '--peers', 'n1=https://127.0.0.1:1']), { code: 0 })
  const port = await freePorts(2)
  const more = ['--', '--tokens-file', join(dir, 'tokens.toml')]
  const running = new Running(['dev', '--nodes', '2', '--port', String(port), ...more])
  t.teardown(() => running.stop('SIGTERM'))
  await running.shows('Ctrl-C stops it.')
  t.equal(running.output.split('Authorization: Bearer $SHOAL_TOKEN').length, 3, 'in both commands')
  const asked = ['--url', `http://127.0.0.1:${port}`, '--token-file', join(dir, 'token')]
  t.match(await shoal(['status', ...asked]), { code: 0, stdout: /^healthy/ })
  const [, seconds = ''] = /nodes ready in ([\d.]+) s/.exec(running.output) ?? []
  t.ok(Number(seconds) < 8, `${seconds} s: it did not wait in vain`)
})

t.test('what it tells a person to try works', async (t) => {
  const port = await freePorts(2)
  const running = new Running(['dev', '--nodes', '2', '--port', String(port)])
  t.teardown(() => running.stop('SIGTERM'))
  await running.shows('Ctrl-C stops it.')
  const lines = running.output.split('\n').map((line) => line.trim())
  const commands = lines.filter((line) => line.startsWith('curl '))
  t.equal(commands.length, 2)
  if (!(await inShell('command -v curl')).ok) {
    t.pass('there is no curl here to try it with')
    return
  }
  t.match(await inShell(commands[0] ?? ''), { ok: true, stdout: /^HTTP\/1\.1 204/ })
  t.match(await inShell(commands[1] ?? ''), { ok: true, stdout: /^HTTP\/1\.1 200[\s\S]*milk$/ })
  for (const line of lines.filter((each) => /^(console|docs) /.test(each))) {
    const [, page = ''] = line.split(/\s+/)
    t.equal((await fetch(page)).status, 200, line)
  }
  t.equal(await running.stop('SIGINT'), 0)
})

const inShell = (command: string): Promise<{ ok: boolean; stdout: string }> =>
  new Promise((resolve) => {
    execFile('sh', ['-c', command], (error, stdout) => resolve({ ok: error === null, stdout }))
  })

t.test('data in a folder of the user is kept', async (t) => {
  const folder = join(scratch(t), 'cluster')
  const first = await dev(t, 1, '--nodes', '1', '--data', folder)
  const url = first.nodes[0]?.url ?? ''
  t.match(await shoal(['put', 'a', 'b', 'kept', '--url', url]), { code: 0 })
  t.equal(await first.running.stop('SIGINT'), 0)
  t.same(readdirSync(folder).sort(), ['dev.json', 'n1', 'secret'])
  t.equal(statSync(join(folder, 'secret')).mode & 0o777, 0o600)

  const second = await dev(t, 1, '--data', folder)
  t.equal(second.nodes.length, 1, 'as many nodes as the folder holds')
  const parameters = ['get', 'a', 'b', '-q', '--url', second.nodes[0]?.url ?? '']
  t.match(await shoal(parameters), { code: 0, stdout: 'kept' })
  await second.running.stop()

  const other = await shoal(['dev', '--nodes', '2', '--data', folder, '--port', '20001'])
  t.match(other, { code: 2, stderr: /holds the data of 1 nodes?, not 2; say --nodes 1/ })
})

t.test('a port that is taken is told before anything starts', async (t) => {
  const port = await freePorts(3)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port + 2, '127.0.0.1', resolve))
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith('shoal-dev-'))
  const { code, stdout, stderr } = await shoal(['dev', '--port', String(port)])
  t.equal(code, 3)
  t.equal(stdout, '')
  t.match(stderr, `SHOAL_ADDRESS_IN_USE port ${port + 2} is taken`)
  const after = readdirSync(tmpdir()).filter((name) => name.startsWith('shoal-dev-'))
  t.same(
    after.filter((name) => !before.includes(name)),
    [],
    'nothing is left behind',
  )
  await new Promise((resolve) => server.close(resolve))
})

t.test('nodes that cannot start end it, with their reason', async (t) => {
  const port = await freePorts(1)
  const { code, stderr } = await shoal(
    ['dev', '--nodes', '1', '--port', String(port), '--', '--partitions', '3'],
    {},
  )
  t.equal(code, 2)
  t.match(stderr, /n1 has ended by itself: exit code 2[\s\S]*n1 did not come to serve/)
})
