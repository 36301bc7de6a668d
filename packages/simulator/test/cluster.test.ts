import { execFile, execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { ShoalError } from '@shoal/kernel'
import t from 'tap'
import type { Observer } from '../src/check/observer.ts'
import { createSimCluster } from '../src/cluster/create-sim-cluster.ts'
import type { ClientEnd, SimCluster } from '../src/cluster/sim-cluster.ts'
import type { FaultEvent } from '../src/plan/plan.ts'
import {
  ask,
  BUCKET,
  bodiesOf,
  everyFault,
  everything,
  load,
  put,
  read,
  smallPlan,
} from './smoke.ts'

const SEED = Number(process.env.SHOAL_SEED ?? 11)
t.comment(`seed ${SEED}`)

const open = (seed = SEED): Promise<SimCluster> => createSimCluster(smallPlan(seed))
const lasting = { id: 'f', at: 0, lasts: 1_000_000 } as const

/** The nodes that hold a key, and one that does not. */
function placesOf(cluster: SimCluster, key: string): { holders: number[]; stranger: number } {
  const holders = cluster.nodes
    .filter(({ disk }) => rowKeys(disk).some((name) => name.endsWith(`${BUCKET}\0${key}`)))
    .map(({ index }) => index)
  const stranger = cluster.nodes.findIndex(({ index }) => !holders.includes(index))
  return { holders, stranger }
}

const rowKeys = (disk: SimCluster['nodes'][number]['disk']): string[] =>
  Array.from({ length: disk.keyCount('rows') }, (_none, at) => `${disk.keyAt('rows', at)}`)

/** Up, and in touch with all others. */
function isWell(cluster: SimCluster, node: number): boolean {
  const { state, coordinator, id } = cluster.nodes[node] as SimCluster['nodes'][number]
  if (state !== 'up' || !coordinator) return false
  return cluster.nodes.every((other) => other.id === id || coordinator.desk.peers.isUp(other.id))
}

async function until(cluster: SimCluster, holds: () => boolean): Promise<void> {
  const began = cluster.now()
  while (!holds()) {
    if (cluster.now() - began > 60_000) throw new Error('it did not come about within a minute')
    await cluster.run(cluster.now() + 5)
  }
}

/** What happens to one node, in words. */
function log(cluster: SimCluster, node: number): string[] {
  const words: string[] = []
  const note =
    (word: string) =>
    (told: { readonly index: number }): void => {
      if (told.index === node) words.push(word)
    }
  const observer: Observer = {
    booted: note('booted'),
    crashed: note('crashed'),
    stopped: note('stopped'),
    halted: note('halted'),
    wiped: note('wiped'),
    rolledBack: note('rolled back'),
    damaged: note('damaged'),
  }
  cluster.observe(observer)
  return words
}

t.test('SC1 a cluster starts whole, serves, and ends with nothing left to do', async (t) => {
  const cluster = await open()
  t.same(
    cluster.nodes.map(({ state, life }) => `${state} ${life}`),
    new Array(5).fill('up 1'),
  )
  t.match(cluster.nodes[3]?.buckets?.of(BUCKET), { blindWrites: 'sibling', n: 3 })
  for (let node = 0; node < 5; node++) {
    t.match(await ask(cluster, node, put('a', `from ${node}`)), { kind: 'answer' })
  }
  t.equal(bodiesOf(await ask(cluster, 4, read('a'))).length, 5, 'siblings, as the bucket says')
  await cluster.finish()
  t.same(new Set(cluster.nodes.map(({ state }) => state)), new Set(['down']))
})

t.test('SC2 a crash ends requests as lost, and what was acknowledged comes back', async (t) => {
  const cluster = await open()
  await ask(cluster, 0, put('a', 'one'))
  const { holders } = placesOf(cluster, 'a')
  const [victim] = holders as [number]
  const words = log(cluster, victim)
  const ends: ClientEnd[] = []
  cluster.call(victim, put('a', 'two'), (end) => ends.push(end))
  cluster.after(1.2, () =>
    cluster.applyFault({
      ...lasting,
      kind: 'crash',
      node: victim,
      downFor: 500,
      unsynced: 'kept',
    }),
  )
  await cluster.run(cluster.now() + 100)
  t.match(ends, [{ kind: 'lost', because: 'death' }])
  t.equal(cluster.nodes[victim]?.state, 'down')
  t.match(await ask(cluster, victim, read('a')), { kind: 'unsent' })
  await until(cluster, () => isWell(cluster, victim))
  t.same([cluster.nodes[victim]?.life, words], [2, ['crashed', 'booted']])
  t.ok(bodiesOf(await ask(cluster, victim, read('a', true))).includes('one'))
  await cluster.finish()
})

t.test('SC2 a node that dies while it boots starts again and touches nothing twice', async (t) => {
  for (let seed = SEED; seed < SEED + 8; seed++) {
    const cluster = await open(seed)
    load(cluster, 1_000)
    const crash = { ...lasting, kind: 'crash', node: 2, downFor: 20, during: 'boot' } as const
    cluster.after(400, () => cluster.applyFault({ ...crash, unsynced: 'holes' }))
    await until(cluster, () => cluster.now() > 1_000 && cluster.nodes[2]?.state === 'up')
    await cluster.run(cluster.now() + 2_000)
    t.ok((cluster.nodes[2]?.life ?? 0) >= 2)
    await cluster.finish()
  }
})

t.test('SC3 a clean stop keeps the actors, a crash does not', async (t) => {
  const cluster = await open()
  const words = log(cluster, 1)
  cluster.applyFault({ ...lasting, kind: 'stop', node: 1, downFor: 100 })
  await until(cluster, () => cluster.nodes[1]?.life === 2 && cluster.nodes[1].state === 'up')
  t.same([words, cluster.nodes[1]?.replica?.wasClean], [['stopped', 'booted'], true])
  cluster.applyFault({ ...lasting, kind: 'crash', node: 1, downFor: 100, unsynced: 'kept' })
  await until(cluster, () => cluster.nodes[1]?.life === 3 && cluster.nodes[1].state === 'up')
  t.equal(cluster.nodes[1]?.replica?.wasClean, false)
  await cluster.finish()
})

t.test('SC4 a paused node answers when it goes on; its client may have given up', async (t) => {
  const cluster = await open()
  await ask(cluster, 0, put('a', 'one'))
  const paused = cluster.nodes[0]
  const pause = { ...lasting, kind: 'pause', node: 0 } as const
  const ends: ClientEnd[] = []
  cluster.applyFault({ ...pause, lasts: 2_000 })
  cluster.call(0, read('a'), (end) => ends.push(end))
  await cluster.run(cluster.now() + 1_500)
  t.same([paused?.paused, ends.length, paused?.state], [true, 0, 'up'])
  await cluster.run(cluster.now() + 1_000)
  t.same([paused?.paused, ends.map(bodiesOf)], [false, [['one']]])

  cluster.applyFault({ ...pause, lasts: 3_500 })
  cluster.call(0, put('a', 'late'), (end) => ends.push(end))
  await cluster.run(cluster.now() + 5_000)
  t.match(ends[1], { kind: 'lost', because: 'silence' })
  t.equal(ends.length, 2, 'a request ends once')
  const values = bodiesOf(await ask(cluster, 1, read('a', true)))
  t.ok(values.includes('late'), 'what had left was done')

  cluster.applyFault({ ...pause, lasts: 30_000 })
  await cluster.run(cluster.now() + 6_000)
  t.notOk(isWell(cluster, 1), 'taken for dead')
  t.ok(isWell(cluster, 0), 'and knows nothing of it')
  await cluster.run(cluster.now() + 30_000)
  t.ok(isWell(cluster, 1))
  await cluster.finish()
})

t.test('SC5 a failed sync stops the node, and it comes back as after a crash', async (t) => {
  const cluster = await open()
  await ask(cluster, 0, put('a', 'one'))
  const { holders } = placesOf(cluster, 'a')
  for (const [at, fault] of (['sync-fails', 'write-fails'] as const).entries()) {
    const victim = holders[at] as number
    const words = log(cluster, victim)
    cluster.applyFault({ ...lasting, kind: 'disk', node: victim, fault, pick: 0 })
    await ask(cluster, victim, put('a', fault))
    await until(cluster, () => isWell(cluster, victim))
    t.same(words, ['halted', 'crashed', 'booted'])
    t.equal(cluster.nodes[victim]?.replica?.wasClean, false)
  }
  t.equal(cluster.figures.halts, 2)
  await cluster.finish()
})

t.test('SC5 a full disk refuses writes and nothing else', async (t) => {
  const cluster = await open()
  await ask(cluster, 0, put('a', 'one'))
  const { holders } = placesOf(cluster, 'a')
  const node = holders[0] as number
  cluster.applyFault({ ...lasting, kind: 'disk', node, fault: 'full', pick: 0 })
  t.match(await ask(cluster, node, put('a', 'two')), { error: { code: 'SHOAL_STORAGE_FULL' } })
  t.same(bodiesOf(await ask(cluster, node, read('a'))), ['one'])
  cluster.heal()
  t.match(await ask(cluster, node, put('a', 'three')), { kind: 'answer' })
  await cluster.finish()
})

t.test('SC5 a disk may be lost, or be an older copy of itself', async (t) => {
  const cluster = await open()
  const words = log(cluster, 0)
  for (let at = 0; at < 40; at++) await ask(cluster, 0, put(`k${at}`, `${at}`))
  const rows = cluster.nodes[0]?.disk.keyCount('rows') ?? 0
  cluster.applyFault({ ...lasting, kind: 'rollback', node: 0, downFor: 10 })
  const after = cluster.nodes[0]?.disk.keyCount('rows') ?? 0
  t.ok(after > 0 && after < rows, `${after} of ${rows}`)
  await until(cluster, () => isWell(cluster, 0))
  cluster.applyFault({ ...lasting, kind: 'wipe', node: 0, downFor: 10 })
  t.equal(cluster.nodes[0]?.disk.keyCount('rows'), 0)
  await until(cluster, () => isWell(cluster, 0))
  t.same(words, ['crashed', 'rolled back', 'booted', 'crashed', 'wiped', 'booted'])
  t.same(bodiesOf(await ask(cluster, 0, read('k7', true))), ['7'])
  await cluster.finish()
})

t.test('SC5 a damaged copy is told of, never shown, and healed', async (t) => {
  const cluster = await open()
  await ask(cluster, 0, put('a', 'one'))
  const { holders } = placesOf(cluster, 'a')
  const victim = holders[0] as number
  const words = log(cluster, victim)
  const disk = cluster.nodes[victim]?.disk
  const pick = rowKeys(disk as never).findIndex((name) => name.endsWith(`${BUCKET}\0a`))
  for (const fault of ['bit-rot', 'read-error'] as const) {
    const damage = { ...lasting, kind: 'disk', node: victim, fault, column: 'rows', pick } as const
    cluster.applyFault(damage)
    t.same(bodiesOf(await ask(cluster, victim, read('a'))), ['one'])
    await cluster.run(cluster.now() + 1_000)
    const figures = cluster.nodes[victim]?.replica?.figures()
    t.ok((figures?.damaged ?? 0) > 0, `${fault} was found`)
  }
  t.same(words, ['damaged', 'damaged'])
  await cluster.finish()
})

t.test('SC6 nodes apart do not hear each other until they are together again', async (t) => {
  const cluster = await open()
  const up = (one: number, other: number): boolean | undefined =>
    cluster.nodes[one]?.coordinator?.desk.peers.isUp(cluster.nodes[other]?.id as never)
  const part = { ...lasting, kind: 'partition', side: [0, 1], lasts: 20_000 } as const
  cluster.applyFault({ ...part, direction: 'out', bridge: 2 })
  cluster.applyFault({ ...part, lasts: 10_000, direction: 'both' })
  await cluster.run(cluster.now() + 9_000)
  t.same(
    [up(0, 1), up(3, 4), up(0, 2), up(2, 3), up(0, 3), up(4, 1)],
    [true, true, false, true, false, false],
  )
  await cluster.run(cluster.now() + 6_000)
  t.same([up(0, 2), up(3, 1)], [true, false], 'the bridge hears both sides, the others do not')
  cluster.heal()
  await cluster.run(cluster.now() + 5_000)
  t.same([up(0, 4), up(4, 0), up(1, 3)], [true, true, true])
  await cluster.finish()
})

t.test('SC7 a machine whose clock is wrong serves; after healing it is right', async (t) => {
  const cluster = await open()
  const wall = (node: number): number =>
    Math.round((cluster.nodes[node]?.coordinator?.desk.env.clock.wall() ?? 0) - cluster.now())
  const honest = wall(0)
  const clock = (node: number, change: 'skew' | 'jump' | 'drift' | 'freeze', amount: number) =>
    cluster.applyFault({ ...lasting, kind: 'clock', node, change, amount })
  clock(0, 'jump', -3_600_000)
  clock(1, 'freeze', 0)
  clock(2, 'drift', 100_000)
  await cluster.run(cluster.now() + 1_000)
  t.same([wall(0), wall(1), wall(2)], [honest - 3_600_000, honest - 1_000, honest + 100])
  for (const node of [0, 1, 2]) {
    t.match(await ask(cluster, node, put('a', `from ${node}`)), { kind: 'answer' })
  }
  cluster.heal()
  t.same([wall(0), wall(1), wall(2)], [honest, honest, honest])
  await cluster.finish()
})

t.test(
  'SC8 whoever watches is told of each batch, and the platter follows the syncs',
  async (t) => {
    const cluster = await open()
    const unsynced = cluster.nodes.map(({ disk }) => disk.unsyncedBatches)
    let told = 0
    cluster.observe({
      wrote: (node, { operations }) => {
        unsynced[node.index] = (unsynced[node.index] ?? 0) + 1
        told++
        for (const { column, key, value } of operations) {
          const current = node.disk.current(column, Buffer.from(key, 'latin1'))
          if (current !== value) t.fail('a batch is there when it is told')
        }
      },
      synced: (node, batches) => {
        unsynced[node.index] = (unsynced[node.index] ?? 0) - batches
      },
      crashed: (node) => {
        unsynced[node.index] = 0
      },
    })
    load(cluster, 2_000)
    cluster.after(1_000, () => {
      cluster.applyFault({ ...lasting, kind: 'crash', node: 3, downFor: 10, unsynced: 'random' })
    })
    for (let slice = 0; slice < 300; slice++) {
      await cluster.run(cluster.now() + 10)
      const real = cluster.nodes.map(({ disk }) => disk.unsyncedBatches)
      if (`${real}` !== `${unsynced}`) t.same(unsynced, real)
    }
    t.ok(told > 100, `${told} batches`)
    await cluster.finish()
  },
)

t.test('SC8 an error of whoever watches fails the run and harms no node', async (t) => {
  const cluster = await open()
  cluster.observe({
    wrote: () => {
      throw new Error('a mistake of a watcher')
    },
  })
  cluster.call(0, put('a', 'one'), () => {})
  await t.rejects(cluster.run(cluster.now() + 100), { message: 'a mistake of a watcher' })
  t.equal(cluster.figures.halts, 0)
})

t.test(
  'SC9 every kind of fault takes effect, twice alike, and everything ends in peace',
  async (t) => {
    const one = await everything(SEED)
    const kinds = new Set(everyFault.map(({ kind }: FaultEvent) => kind))
    for (const kind of kinds) {
      const hit = [...one.figures.faults].some(
        ([name]) => name.startsWith(kind) && !name.includes('nothing'),
      )
      t.ok(hit, kind)
    }
    t.ok(one.figures.injected.size >= 4, 'seams were taken')
    t.equal((await everything(SEED)).hash, one.hash)
    t.not((await everything(SEED + 1)).hash, one.hash)
    for (const node of otherNodes()) {
      const script = `
      const { everything } = await import(${JSON.stringify(import.meta.resolve('./smoke.js'))})
      console.log((await everything(${SEED})).hash)`
      const { stdout } = await promisify(execFile)(node, ['--input-type=module', '-e', script])
      t.equal(stdout.trim(), one.hash, `as on ${node}`)
    }
  },
)

/** Installed versions of Node that are not the one that runs this. */
function otherNodes(): string[] {
  const places = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'node'))
  const versions = new Map<string, string>()
  for (const place of new Set(places)) {
    if (!existsSync(place)) continue
    const version = execFileSync(place, ['--version']).toString().split('.')[0] as string
    if (version !== process.version.split('.')[0]) versions.set(version, place)
  }
  return [...versions.values()]
}

t.test('SC10 a bug that trips inside a node fails the run', async (t) => {
  const cluster = await open()
  const [node] = cluster.nodes
  cluster.after(5, () => node?.coordinator?.desk.env.halt(new Error('a bug')))
  await t.rejects(cluster.run(cluster.now() + 10), { message: 'a bug' })
  cluster.after(5_000, () => {
    throw new ShoalError('SHOAL_STORE_FAILED', 'thrown outside')
  })
  await t.rejects(cluster.run(cluster.now() + 10_000), { message: 'thrown outside' })
  t.equal(node?.state, 'up', 'it was started again')
})
