/**
 * Every node in a network namespace of its own, all on one bridge: a real network stack for each,
 * in which packets vanish. A way is cut by telling the sender a hardware address that nobody has:
 * its packets leave and reach no one, no error comes back, and open connections are not told.
 *
 * Clients stay outside and reach every node over the bridge.
 */
import { execFileSync } from 'node:child_process'
import { type Address, idOf, type Network } from './network.ts'
import type { Link } from './plan.ts'

const PORT = 4100
const NOBODY = '02:5a:00:00:ff:ff'
const macOf = (place: number): string => `02:5a:00:00:00:${String(place + 1).padStart(2, '0')}`

const ip = (...parameters: string[]): void => {
  execFileSync('ip', parameters, { stdio: 'pipe', timeout: 10_000 })
}

/** Made once for all networks of a process, so that names and addresses do not meet. */
let made = 0

export class NamespaceNetwork implements Network {
  readonly kind = 'namespaces'
  readonly addresses: readonly Address[]
  readonly parameters = ['--allow-open']
  readonly #bridge: string
  readonly #subnet: string
  readonly #endWithUs = (): void => this.close()

  private constructor(nodes: number) {
    const number = (process.pid * 7 + made++) % 65_536
    this.#bridge = `shoal${number.toString(16)}`
    this.#subnet = `10.213.${number % 256}`
    this.addresses = Array.from({ length: nodes }, (_, place) => ({
      id: idOf(place),
      url: `http://${this.#hostOf(place)}:${PORT}`,
    }))
  }

  /** @returns why there can be none, where there can be none */
  static open(nodes: number): NamespaceNetwork | string {
    if (process.platform !== 'linux') return 'network namespaces are a thing of Linux'
    if (process.getuid?.() !== 0) return 'network namespaces need root'
    const network = new NamespaceNetwork(nodes)
    try {
      network.#build()
    } catch (error) {
      network.close()
      return `no network namespaces here: ${(error as Error).message.trim().split('\n').pop()}`
    }
    return network
  }

  #hostOf(place: number): string {
    return `${this.#subnet}.${place + 1}`
  }

  #nameOf(place: number): string {
    return `${this.#bridge}-${idOf(place)}`
  }

  #build(): void {
    process.on('exit', this.#endWithUs)
    ip('link', 'add', this.#bridge, 'type', 'bridge')
    ip('addr', 'add', `${this.#subnet}.254/24`, 'dev', this.#bridge)
    ip('link', 'set', this.#bridge, 'up')
    const places = [...this.addresses.keys()]
    for (const place of places) this.#add(place)
    // Permanent from the start: what a cut replaces is then always there to come back to.
    this.mend(places.flatMap((from) => places.map((to): Link => [from, to])))
  }

  #add(place: number): void {
    const name = this.#nameOf(place)
    const outer = `${this.#bridge}.${place + 1}`
    ip('netns', 'add', name)
    ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    ip('link', 'set', outer, 'master', this.#bridge, 'up')
    ip('-n', name, 'link', 'set', 'eth0', 'address', macOf(place), 'up')
    ip('-n', name, 'link', 'set', 'lo', 'up')
    ip('-n', name, 'addr', 'add', `${this.#hostOf(place)}/24`, 'dev', 'eth0')
  }

  peersFor(): string {
    return this.addresses.map(({ id, url }) => `${id}=${url}`).join(',')
  }

  runnerFor(place: number): readonly string[] {
    return ['ip', 'netns', 'exec', this.#nameOf(place)]
  }

  cut(links: readonly Link[]): void {
    for (const [from, to] of links) this.#teach(from, to, NOBODY)
  }

  mend(links: readonly Link[]): void {
    for (const [from, to] of links) this.#teach(from, to, macOf(to))
  }

  /** From now on `from` sends to this hardware address what is meant for `to`. */
  #teach(from: number, to: number, mac: string): void {
    if (from === to) return
    const where = ['dev', 'eth0', 'lladdr', mac, 'nud', 'permanent']
    ip('-n', this.#nameOf(from), 'neigh', 'replace', this.#hostOf(to), ...where)
  }

  slow(): void {
    throw new Error('links between namespaces cannot be slowed: use proxies')
  }

  reset(): void {
    throw new Error('connections between namespaces cannot be reset: use proxies')
  }

  /** Processes in the namespaces must have ended. May be called twice. */
  close(): void {
    process.off('exit', this.#endWithUs)
    const quietly = (...parameters: string[]): void => {
      try {
        ip(...parameters)
      } catch {
        // It was not there, or goes with its namespace.
      }
    }
    for (const place of this.addresses.keys()) quietly('netns', 'del', this.#nameOf(place))
    quietly('link', 'del', this.#bridge)
  }
}
