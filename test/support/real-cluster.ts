/** A few real nodes on this machine, with data directories that go away afterwards. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Cable } from './cable.ts'
import { type Ending, NodeProcess } from './node-process.ts'
import { freePorts } from './ports.ts'
import { until } from './until.ts'

export interface ClusterOptions {
  readonly nodes?: number
  readonly replicas?: number
  readonly partitions?: number
  readonly secret?: string
  /** Where one node keeps its data instead of the cluster's folder. */
  readonly dataOf?: Readonly<Record<string, string>>
  /** Peers reach each other through cables that can be cut; clients go straight to the nodes. */
  readonly cables?: boolean
}

export class RealCluster {
  readonly folder: string
  readonly secretFile: string
  readonly peers: string
  readonly nodes: readonly NodeProcess[]
  readonly cables: readonly Cable[]
  readonly #options: ClusterOptions

  private constructor(
    folder: string,
    { ports, cables }: { ports: readonly number[]; cables: readonly Cable[] },
    options: ClusterOptions,
  ) {
    const { secret = 'a secret that only this test knows' } = options
    this.#options = options
    this.folder = folder
    this.cables = cables
    this.secretFile = this.writeSecret('secret', secret)
    const members = ports.map((port, index) => ({
      id: `n${index + 1}`,
      url: `http://127.0.0.1:${port}`,
    }))
    this.peers = members.map(({ id, url }, index) => `${id}=${cables[index]?.url ?? url}`).join(',')
    this.nodes = members.map((member) => this.processFor(member))
  }

  /** All nodes serve and know each other when it resolves. Ends with the test, whatever happens. */
  static async start(t: Test, options: ClusterOptions = {}): Promise<RealCluster> {
    const cluster = await RealCluster.prepare(t, options)
    await Promise.all(cluster.nodes.map((node) => node.start()))
    await cluster.settled()
    await cluster.compared()
    return cluster
  }

  /** Nothing runs yet. */
  static async prepare(t: Test, options: ClusterOptions = {}): Promise<RealCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'shoal-acceptance-'))
    const { nodes = 3 } = options
    const first = await freePorts(nodes)
    const ports = Array.from({ length: nodes }, (_, index) => first + index)
    const cables = options.cables ? await Promise.all(ports.map((port) => Cable.open(port))) : []
    const cluster = new RealCluster(folder, { ports, cables }, options)
    t.teardown(() => cluster.end(t))
    return cluster
  }

  /** A process with the parameters of this cluster, not started. */
  processFor({ id, url }: { id: string; url: string }): NodeProcess {
    const { replicas, partitions, dataOf = {} } = this.#options
    const data = dataOf[id] ?? join(this.folder, id)
    const parameters = [
      ...['--node-id', id],
      ...['--listen', new URL(url).host],
      ...['--data', data],
      ...['--peers', this.peers],
      ...['--secret-file', this.secretFile],
      ...(replicas === undefined ? [] : ['--replicas', String(replicas)]),
      ...(partitions === undefined ? [] : ['--partitions', String(partitions)]),
    ]
    return new NodeProcess({ id, url, data, parameters })
  }

  writeSecret(name: string, secret: string): string {
    const file = join(this.folder, name)
    writeFileSync(file, `${secret}\n`, { mode: 0o600 })
    return file
  }

  node(id: string): NodeProcess {
    const found = this.nodes.find((node) => node.id === id)
    if (found === undefined) throw new Error(`no node ${id}`)
    return found
  }

  get running(): readonly NodeProcess[] {
    return this.nodes.filter(({ isAlive }) => isAlive)
  }

  /** Until every running node reaches exactly the nodes that run. */
  async settled(): Promise<void> {
    const { running } = this
    await until('all running nodes to see each other, and only them', async () => {
      const seen = await Promise.all(running.map(nodesUp))
      return seen.every((count) => count === running.length)
    })
  }

  /**
   * Until new disks have been compared. A cluster that loses a node before waits for it: what the
   * disk of that node held is not known.
   */
  private async compared(): Promise<void> {
    await until('every node to find the cluster healthy', async () => {
      const answers = await Promise.all(this.running.map((node) => node.ask('/healthz')))
      return answers.every(({ text }) => text.includes('"status":"healthy"'))
    })
  }

  async start(...ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => this.node(id).start()))
    await this.settled()
  }

  async stop(...ids: readonly string[]): Promise<readonly Ending[]> {
    const endings = await Promise.all(ids.map((id) => this.node(id).stop()))
    await this.settled()
    return endings
  }

  async kill(...ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => this.node(id).kill()))
    await this.settled()
  }

  /** Ends all processes, shows their logs where the test failed, removes the data. */
  async end(t: Test): Promise<void> {
    if (!t.passing()) for (const node of this.nodes) t.comment(lastLines(node))
    await Promise.all(this.nodes.map((node) => (node.isAlive ? node.kill() : undefined)))
    for (const cable of this.cables) cable.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

const LINES_SHOWN = 40

const lastLines = ({ id, log }: NodeProcess): string =>
  `the last lines of ${id}:\n${log.trimEnd().split('\n').slice(-LINES_SHOWN).join('\n')}`

/** As the node itself tells; a lost quorum is told as a problem. */
export async function nodesUp(node: NodeProcess): Promise<number> {
  const answer = await node.ask('/healthz', { timeoutMs: 2_000 })
  const { nodesUp: up, got } = answer.json() as { nodesUp?: number; got?: number }
  return up ?? got ?? -1
}
