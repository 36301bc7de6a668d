import { createSeededRandom, type Random } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import { Rig } from './check-rig.ts'
import { mergeInto } from './check-rig-node.ts'

const KEYS = ['k', 'l']

/**
 * Honest clients and replicas: writes blind and with contexts old and new, in sessions, reads of
 * any quorum, lost messages, power cuts. Nothing of it may be called a violation.
 */
class HonestRun {
  readonly rig: Rig
  readonly #random: Random
  readonly #contexts = new Map<string, string[]>()
  #session = 'new'
  #count = 0

  constructor(seed: number) {
    this.#random = createSeededRandom(`honest ${seed}`)
    const blindWrites = this.#random.below(2) === 0 ? 'overwrite' : 'sibling'
    this.rig = new Rig({ properties: { blindWrites } })
  }

  run(): readonly string[] {
    for (let step = 0; step < 60; step++) this.#act()
    this.#healAll()
    this.rig.checks.final()
    // The nodes of the rig keep no digests.
    return this.rig.messages.filter((message) => !/digest/.test(message))
  }

  #act(): void {
    const dice = this.#random.below(10)
    if (dice < 5) this.#write()
    else if (dice < 8) this.#read()
    else if (dice < 9) this.#meet()
    else this.#crash()
  }

  #write(): void {
    const { rig } = this
    const at = this.#random.below(3)
    const key = this.#key()
    const kept = this.#contexts.get(key) ?? []
    const isBlind = this.#random.below(3) === 0 || kept.length === 0
    const context = isBlind ? '' : (kept[this.#random.below(kept.length)] as string)
    const canDelete = !isBlind || rig.properties.blindWrites === 'overwrite'
    const operation = canDelete && this.#random.below(4) === 0 ? 'delete' : 'put'
    const inSession = !isBlind && this.#random.below(3) === 0
    const session = inSession ? this.#session : ''
    const write = rig.write(at, { id: `o${this.#count++}`, key, context, operation, session })
    write.mint()
    const others = [0, 1, 2].filter((index) => index !== at && this.#random.below(3) > 0)
    for (const other of others) write.deliver(other)
    if (others.length === 0 || this.#random.below(5) === 0) {
      write.end({ kind: 'lost' })
      return
    }
    for (const index of [at, ...others]) rig.node(index).sync()
    write.answer()
    this.#keep(key, write.token)
    if (inSession) this.#session = write.session
  }

  #read(): void {
    const key = this.#key()
    const from = [0, 1, 2].filter(() => this.#random.below(2) === 0)
    if (from.length === 0) from.push(this.#random.below(3))
    const strict = from.length > 1 && this.#random.below(2) === 0
    const read = this.rig.read(from[0] as number, { key, r: from.length, strict })
    if (strict) {
      // Written back before it is shown (Q5).
      for (const to of [0, 1, 2]) this.#mergeFrom(from, to, key)
      for (const node of this.rig.nodes) node.sync()
    }
    read.answer(from)
    this.#keep(key, read.token)
  }

  #meet(): void {
    this.#mergeFrom([this.#random.below(3)], this.#random.below(3), this.#key())
  }

  #mergeFrom(from: readonly number[], to: number, key: string): void {
    for (const index of from) {
      const row = this.rig.node(index).row(key)
      if (row) mergeInto(this.rig.node(to), this.rig.rowKey(key), row)
    }
  }

  #crash(): void {
    const node = this.rig.node(this.#random.below(3))
    node.crash({ survived: this.#random.below(node.disk.unsyncedBatches + 1) })
  }

  #healAll(): void {
    for (const key of KEYS) {
      for (const round of [0, 1, 2]) {
        for (const to of [0, 1, 2]) this.#mergeFrom([round], to, key)
      }
    }
    for (const key of KEYS) for (const to of [0, 1, 2]) this.#mergeFrom([0, 1, 2], to, key)
    for (const node of this.rig.nodes) node.sync()
  }

  #keep(key: string, token: string): void {
    this.#contexts.set(key, [...(this.#contexts.get(key) ?? []), token].slice(-5))
  }

  #key(): string {
    return KEYS[this.#random.below(KEYS.length)] as string
  }
}

t.test('honest histories are never called a violation', async (t) => {
  let first: readonly string[] = []
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const messages = new HonestRun(seed).run()
      if (messages.length > 0) first = messages
      return messages.length === 0
    }),
    { seed: 20_071_014, numRuns: 150 },
  )
  t.same(first, [])
})
