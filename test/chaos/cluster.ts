/** A cluster of real nodes to which things happen. Knows which ends of a process were meant. */
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Ending, NodeProcess } from '../support/node-process.ts'
import { nodesUp } from '../support/real-cluster.ts'
import type { SmallDisk } from '../support/small-disk.ts'
import { until } from '../support/until.ts'
import type { Network } from './network.ts'
import { pause } from './pause.ts'

const STOP_TIMEOUT_MS = 60_000
const SETTLED_WITHIN_MS = 60_000
const RESTART_AFTER_MS = 300

export interface ClusterSettings {
  readonly folder: string
  readonly network: Network
  readonly partitions: number
  /** Under the data of the last node. */
  readonly disk: SmallDisk | undefined
}

export class ChaosCluster {
  readonly nodes: readonly NodeProcess[]
  readonly network: Network
  readonly disk: SmallDisk | undefined
  /** What no plan explains, in words. */
  readonly surprises: string[] = []
  readonly #folder: string
  readonly #locks = new Map<number, Promise<unknown>>()
  readonly #meant = new WeakSet<Promise<Ending>>()
  /** Nodes with a bad disk: they may end by themselves, and may have to begin anew. */
  readonly #excused = new Set<number>()
  #isClosing = false

  constructor({ folder, network, partitions, disk }: ClusterSettings) {
    this.#folder = folder
    this.network = network
    this.disk = disk
    mkdirSync(folder, { recursive: true })
    const secretFile = join(folder, 'secret')
    writeFileSync(secretFile, `${createHash('sha256').update(randomUUID()).digest('hex')}\n`, {
      mode: 0o600,
    })
    const last = network.addresses.length - 1
    this.nodes = network.addresses.map(({ id, url }, place) => {
      const data = join(place === last && disk !== undefined ? disk.path : folder, id)
      const parameters = [
        ...['--node-id', id],
        ...['--listen', new URL(url).host],
        ...['--data', data],
        ...['--peers', network.peersFor(place)],
        ...['--secret-file', secretFile],
        ...['--partitions', String(partitions)],
        ...network.parameters,
      ]
      return new NodeProcess({ id, url, data, parameters, runner: network.runnerFor(place) })
    })
  }

  get places(): readonly number[] {
    return [...this.nodes.keys()]
  }

  node(place: number): NodeProcess {
    const node = this.nodes[place]
    if (node === undefined) throw new Error(`no node at ${place}`)
    return node
  }

  get serving(): readonly NodeProcess[] {
    return this.nodes.filter(({ isServing }) => isServing)
  }

  /** Its ends are no surprise from now on, and it may lose its data to start again. */
  excuse(place: number): void {
    this.#excused.add(place)
  }

  isExcused(place: number): boolean {
    return this.#excused.has(place)
  }

  /** One thing at a time happens to a process. */
  locked<T>(place: number, work: () => Promise<T>): Promise<T> {
    const before = this.#locks.get(place) ?? Promise.resolve()
    const after = before.then(work)
    this.#locks.set(
      place,
      after.catch(() => {}),
    )
    return after
  }

  /** Until it serves. What keeps it from that is a surprise, unless its disk is known to be bad. */
  async start(place: number): Promise<void> {
    const node = this.node(place)
    if (node.isServing) return
    if (!node.isAlive) this.#launch(place)
    const life = node.ended
    if (await node.ready) return
    const { code, signal } = await life
    if (this.#isClosing || this.#meant.has(life)) return
    if (!this.isExcused(place)) {
      this.surprises.push(`${node.id} does not start: code ${code}, signal ${signal}`)
    }
    node.emptyData()
    this.#launch(place)
    if (await node.ready) return
    if (!this.#isClosing) throw new Error(`${node.id} does not start:\n${node.log.slice(-2_000)}`)
  }

  /** Waits for nothing. */
  launch(place: number): void {
    if (!this.node(place).isAlive) this.#launch(place)
  }

  #launch(place: number): void {
    const node = this.node(place)
    const life = node.launch().ended
    void life.then(({ code, signal }) => {
      if (this.#meant.has(life) || this.#isClosing) return
      if (!this.isExcused(place)) {
        this.surprises.push(`${node.id} ended by itself: code ${code}, signal ${signal}`)
        return
      }
      void this.locked(place, async () => {
        await pause(RESTART_AFTER_MS)
        if (!node.isAlive && !this.#isClosing) await this.start(place)
      }).catch((error: Error) => this.surprises.push(error.message))
    })
  }

  async kill(place: number): Promise<void> {
    const node = this.node(place)
    this.#meant.add(node.ended)
    await node.kill()
  }

  /** Asks it to end, and does not wait for ever. */
  async stop(place: number): Promise<void> {
    const node = this.node(place)
    if (!node.isAlive) return
    const { ended } = node
    this.#meant.add(ended)
    const stopped = new AbortController()
    const ending = await Promise.race([node.stop(), pause(STOP_TIMEOUT_MS, stopped.signal)])
    stopped.abort()
    if (ending === undefined) {
      this.surprises.push(`${node.id} did not stop within ${STOP_TIMEOUT_MS} ms`)
      await node.kill()
    } else if (ending.code !== 0 && !this.isExcused(place)) {
      this.surprises.push(`${node.id} stopped with code ${ending.code}, signal ${ending.signal}`)
    }
  }

  /** Nothing is wrong any more when it resolves: all processes run and see each other. */
  async heal(): Promise<void> {
    const { places } = this
    this.network.mend(places.flatMap((from) => places.map((to) => [from, to] as const)))
    this.disk?.empty()
    for (const node of this.nodes) node.thaw()
    await Promise.all(places.map((place) => this.locked(place, () => this.start(place))))
    await this.settled()
  }

  /** Until every node sees every node. */
  async settled(): Promise<void> {
    await until(
      'all nodes to see each other',
      async () => {
        const seen = await Promise.all(this.nodes.map(nodesUp))
        return seen.every((count) => count === this.nodes.length)
      },
      SETTLED_WITHIN_MS,
    )
  }

  /** What the nodes printed, one file each. */
  keepLogs(): void {
    for (const { id, log } of this.nodes) writeFileSync(join(this.#folder, `${id}.log`), log)
  }

  async close(): Promise<void> {
    this.#isClosing = true
    await Promise.all(this.nodes.map((node) => (node.isAlive ? node.kill() : undefined)))
    this.network.close()
    this.disk?.remove()
  }
}
