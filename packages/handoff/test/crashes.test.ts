import { createSeededRandom, type NodeId, type Random } from '@shoal/kernel'
import type { MemoryDisk } from '@shoal/storage'
import t from 'tap'
import { ada, bob, type Conduct, type FakeTarget, keyOf, Rig } from './support/rig.ts'

const NODES = [ada, bob]
const CONDUCTS: readonly Conduct[] = [
  'is silent',
  'loses the answer',
  'SHOAL_OVERLOADED',
  'SHOAL_ROW_DAMAGED',
  'SHOAL_EPOCH_STALE',
  'SHOAL_ROWS_CONTRADICT',
  'SHOAL_STORAGE_FULL',
]

/** What each target is owed by a promise: its hint was durable when somebody counted on it. */
type Promised = Map<NodeId, Map<string, number>>

/**
 * One life after the other on one disk: writes, answers of every kind, full disks, power cuts that
 * lose any of what was not synced. After each the promise is checked: every row owed durably has
 * been delivered, or a hint of it is on the disk, or its partition is marked.
 */
class History {
  readonly #random: Random
  readonly #seed: number
  readonly promised: Promised = new Map(NODES.map((node) => [node, new Map()]))
  #rig!: Rig
  #disk: MemoryDisk | undefined
  #targets: Map<NodeId, FakeTarget> | undefined
  #state = 0
  #lives = 0
  #wall = 1_700_000_000_000

  constructor(seed: number) {
    this.#seed = seed
    this.#random = createSeededRandom(`history ${seed}`)
  }

  async open(): Promise<void> {
    const inject = createSeededRandom(`inject ${this.#seed} ${this.#lives}`)
    this.#rig = await Rig.open({
      ...(this.#disk ? { disk: this.#disk } : {}),
      ...(this.#targets ? { targets: this.#targets } : {}),
      seed: this.#seed * 1_000 + this.#lives++,
      wall: this.#wall,
      settings: { bytesPerTargetMax: 150, countMax: 30, ageMax: 20_000 as never },
      syncLatency: 3,
      readLatency: 2,
      inject: (label) => label.startsWith('handoff') && inject.below(10) === 0,
    })
    this.#disk = this.#rig.disk
    this.#targets = this.#rig.targets
    this.#rig.handoff.start()
  }

  async step(): Promise<void> {
    const rig = this.#rig
    const node = this.#random.below(2) === 0 ? ada : bob
    switch (this.#random.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return this.#write(node)
      case 4:
        return this.#oweLater(node)
      case 5:
        rig.setUp(node, !rig.target(node).up)
        return rig.advance(this.#random.below(30), 1)
      case 6: {
        const conduct = CONDUCTS[this.#random.below(CONDUCTS.length)] as Conduct
        const part = 1 + this.#random.below(4)
        rig.target(node).conduct = (rowKey) =>
          rowKey[0]! % 4 < part && this.#random.below(2) === 0 ? conduct : 'acknowledges'
        return
      }
      case 7:
        rig.disk.setFull(this.#random.below(3) === 0)
        return rig.advance(this.#random.below(50), 1)
      case 8:
        return rig.advance(this.#random.below(8_000), 50)
      case 9:
        for (const mark of rig.handoff.dirty())
          if (this.#random.below(3) === 0) this.#exchange(mark)
        return
      case 10:
        return this.#random.below(4) === 0 ? this.#crash() : undefined
      default:
        return rig.advance(this.#random.below(300), 2)
    }
  }

  /** As a fallback does: row and hints in one batch, then a sync, then it counts. */
  async #write(node: NodeId): Promise<void> {
    const rig = this.#rig
    const name = this.#random.below(20)
    const state = ++this.#state
    const to = this.#random.below(3) === 0 ? NODES : [node]
    try {
      rig.writeOwing(to, name, state)
    } catch {
      // The disk is full: the write is refused and nothing is owed.
      return
    }
    if (this.#random.below(4) === 0) return
    let durable = false
    rig.store.sync().then(() => {
      durable = true
    })
    await rig.until(() => durable, 1_000, 1)
    for (const each of to) this.promised.get(each)?.set(String(name), state)
  }

  /** As a coordinator does after its reply: nothing is promised of it. */
  async #oweLater(node: NodeId): Promise<void> {
    const rig = this.#rig
    try {
      rig.owe(node, this.#random.below(20), ++this.#state)
    } catch {
      return
    }
    // The disk may fill up before the turn ends in which hints are written.
    if (this.#random.below(5) === 0) rig.disk.setFull(true)
    await rig.advance(this.#random.below(5), 1)
  }

  /** What anti-entropy does with a mark: all rows of the partition that this node has. */
  #exchange(mark: Parameters<Rig['handoff']['clean']>[0]): void {
    const rig = this.#rig
    for (let name = 0; name < 20; name++) {
      const rowKey = keyOf(name)
      const row = rig.disk.current('rows', rowKey)
      if (!row || rowKey[0]! >>> 5 !== mark.partition) continue
      const { rows } = rig.target(mark.node)
      const text = rowKey.toString('latin1')
      rows.set(text, Math.max(rows.get(text) ?? 0, row.readDoubleBE(0)))
    }
    rig.handoff.clean(mark)
  }

  async #crash(): Promise<void> {
    const rig = this.#rig
    if (this.#random.below(4) === 0) {
      rig.handoff.stop()
      rig.disk.setFull(false)
      let closed = false
      rig.store.close().then(() => {
        closed = true
      })
      await rig.until(() => closed, 1_000, 1)
    } else {
      rig.disk.crash({
        keepUnsynced: 'random',
        holes: this.#random.below(3) === 0,
        random: this.#random,
      })
      rig.handoff.stop = () => undefined
    }
    this.#wall += rig.env.clock.elapsed()
    await this.open()
  }

  /** What is promised and neither delivered, nor on the disk as a hint, nor marked. */
  broken(): string[] {
    const rig = this.#rig
    return [...this.promised].flatMap(([node, rows]) =>
      [...rows]
        .filter(([name, state]) => {
          const rowKey = keyOf(name)
          const held = rig.target(node).holds(rowKey) >= state
          return !held && !rig.hasHint(node, rowKey) && !rig.isDirty(node, rowKey)
        })
        .map(([name, state]) => `${node} ${name}=${state}`),
    )
  }

  /** Everybody is well: every hint has to be delivered, and nothing may be left on the disk. */
  async heal(): Promise<void> {
    const rig = this.#rig
    rig.disk.setFull(false)
    for (const node of NODES) {
      rig.target(node).conduct = () => 'acknowledges'
      rig.setUp(node, true)
    }
    await rig.until(() => rig.handoff.figures().total === 0, 120_000, 50)
    for (const mark of rig.handoff.dirty()) this.#exchange(mark)
  }

  get rig(): Rig {
    return this.#rig
  }
}

t.test(
  'HO1 every row that is owed is delivered, or in the log, or its partition is marked',
  async (t) => {
    for (let seed = 1; seed <= 60; seed++) {
      const history = new History(seed)
      await history.open()
      for (let step = 0; step < 150; step++) {
        await history.step()
        const broken = history.broken()
        if (broken.length > 0) t.bailout(`seed ${seed}, step ${step}: ${broken.join(', ')}`)
      }
      await history.heal()
      t.same(history.broken(), [], `seed ${seed}`)
      t.equal(history.rig.disk.keyCount('hints'), 0, `seed ${seed}: the log is empty`)
      const { total, targets } = history.rig.handoff.figures()
      t.same({ total, targets }, { total: 0, targets: [] }, `seed ${seed}`)
    }
  },
)
