/** What the nodes hold, asked from outside: explain, reads of one replica, strict reads, hints. */
import { performance } from 'node:perf_hooks'
import { type Answer, keepAlive, kv } from '../support/http.ts'
import { type Explanation, explanationOf } from '../support/kv-answers.ts'
import type { NodeProcess } from '../support/node-process.ts'
import { shownIn } from './doors.ts'
import type { Copy, Final } from './history.ts'
import { pause } from './pause.ts'

const AT_ONCE = 12
/** How long one question may be answered with "not now". */
const PATIENCE_MS = 45_000
const AGAIN_AFTER_MS = 200

export class Survey {
  readonly #agent = keepAlive()
  readonly #nodes: readonly NodeProcess[]
  readonly #bucket: string

  constructor(nodes: readonly NodeProcess[], bucket: string) {
    this.#nodes = nodes
    this.#bucket = bucket
  }

  close(): void {
    this.#agent.destroy()
  }

  /** What is owed by all nodes together; undefined when they do not tell. */
  async hints(): Promise<{ total: number; dirty: number } | undefined> {
    let total = 0
    let dirty = 0
    for (const node of this.#nodes) {
      const answer = await node.ask('/v1/hints', { agent: this.#agent })
      if (answer.status === 404) return undefined
      const owed = answer.json() as { total: number; targets: { dirtyPartitions: number }[] }
      total += owed.total
      dirty += owed.targets.reduce((sum, { dirtyPartitions }) => sum + dirtyPartitions, 0)
    }
    return { total, dirty }
  }

  /** Those of the keys whose replicas do not all hold the same. */
  async unequal(keys: readonly string[]): Promise<string[]> {
    const found: string[] = []
    await each(keys, async (key, turn) => {
      const { holders } = await this.#explain(key, turn)
      const primaries = holders.filter(({ role }) => role === 'primary')
      const states = new Set(primaries.map((holder) => `${holder.state} ${dotsOf(holder)}`))
      if (states.size > 1 || primaries.some(({ state }) => notToldBy.has(state))) found.push(key)
    })
    return found
  }

  /** Reads from all replicas, which mends those found behind. */
  async readAll(keys: readonly string[]): Promise<void> {
    await each(keys, async (key, turn) => {
      await this.#read(this.#at(turn), key, 'all')
    })
  }

  /** Undefined for keys that could not be read. */
  async finals(keys: readonly string[]): Promise<Map<string, Final | undefined>> {
    const finals = new Map<string, Final | undefined>()
    await each(keys, async (key, turn) => {
      finals.set(key, await this.#final(key, turn).catch(() => undefined))
    })
    return finals
  }

  async #final(key: string, turn: number): Promise<Final> {
    const strict = await this.#read(this.#at(turn), key, 'quorum;strict')
    const { preferenceList, holders } = await this.#explain(key, turn + 1)
    const copies = await Promise.all(
      preferenceList.map(async (id): Promise<Copy> => {
        const node = this.#nodes.find((each) => each.id === id)
        const holder = holders.find((each) => each.node === id)
        if (node === undefined || holder === undefined) throw new Error(`no replica ${id}`)
        const own = shownIn(await this.#read(node, key, 'one'))
        return { node: id, dots: [...holder.dots].sort(), values: own.map((value) => value.id) }
      }),
    )
    return { shown: shownIn(strict), copies }
  }

  async #explain(key: string, turn: number): Promise<Explanation> {
    const path = kv(this.#bucket, key).replace('/kv/', '/explain/')
    return explanationOf(await this.#asked(this.#at(turn), path, {}, [200]))
  }

  #read(node: NodeProcess, key: string, consistency: string): Promise<Answer> {
    const headers = { Consistency: consistency }
    return this.#asked(node, kv(this.#bucket, key), headers, [200, 300, 404])
  }

  /** @throws with the last answer, when none was as wanted for long */
  async #asked(
    node: NodeProcess,
    path: string,
    headers: Readonly<Record<string, string>>,
    wanted: readonly number[],
  ): Promise<Answer> {
    const due = performance.now() + PATIENCE_MS
    for (;;) {
      const answer = await node
        .ask(path, { headers, agent: this.#agent })
        .catch((error: Error) => error)
      if (!(answer instanceof Error) && wanted.includes(answer.status)) return answer
      if (performance.now() > due) {
        throw answer instanceof Error ? answer : new Error(`${answer.status} ${answer.text}`)
      }
      await pause(AGAIN_AFTER_MS)
    }
  }

  #at(turn: number): NodeProcess {
    const node = this.#nodes[turn % this.#nodes.length]
    if (node === undefined) throw new Error('there are no nodes')
    return node
  }
}

const notToldBy: ReadonlySet<string> = new Set(['unreachable', 'damaged'])

const dotsOf = ({ dots }: { readonly dots: readonly string[] }): string => [...dots].sort().join()

/** A few at a time. */
async function each<T>(
  items: readonly T[],
  work: (item: T, turn: number) => Promise<void>,
): Promise<void> {
  const left = items.entries()
  const workers = Array.from({ length: AT_ONCE }, async () => {
    for (const [turn, item] of left) await work(item, turn)
  })
  await Promise.all(workers)
}
