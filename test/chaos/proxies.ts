/**
 * Nodes on 127.0.0.1 whose peers stand behind proxies, one for each node that dials and each that
 * is dialled, so that every direction between two nodes can be cut and slowed by itself.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { freePorts } from '../support/ports.ts'
import { type Address, idOf, type Network } from './network.ts'
import type { Link } from './plan.ts'

/** More than this in one direction, and the sender has to wait. */
const HELD_BYTES_MAX = 4_194_304

/** One way between two nodes, over all their connections. */
class Way {
  isCut = false
  delayMs = 0
  readonly #sockets = new Set<Socket>()

  /** Bytes that `from` sends go to `to`, in order, as the way permits. */
  carry(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    let held = 0
    let last = 0
    from.on('data', (piece: Buffer) => {
      held += piece.length
      if (held > HELD_BYTES_MAX) from.pause()
      const now = Date.now()
      last = Math.max(last, now + this.delayMs)
      const pass = (): void => {
        held -= piece.length
        to.write(piece)
        if (!this.isCut) from.resume()
      }
      if (last <= now) pass()
      else setTimeout(pass, last - now)
    })
    from.on('error', () => {})
    from.on('close', () => {
      this.#sockets.delete(from)
      // The end of a connection does not get through either; mending tells it.
      if (!this.isCut) to.destroy()
      else this.#ended.add(to)
    })
    if (this.isCut) from.pause()
  }

  readonly #ended = new Set<Socket>()

  cut(): void {
    this.isCut = true
    for (const socket of this.#sockets) socket.pause()
  }

  /** What was under way arrives late, as it may in a network. */
  mend(): void {
    this.isCut = false
    this.delayMs = 0
    for (const socket of this.#sockets) socket.resume()
    for (const socket of this.#ended) socket.destroy()
    this.#ended.clear()
  }

  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }
}

interface Door {
  readonly server: Server
  readonly port: number
}

export class ProxyNetwork implements Network {
  readonly kind = 'proxies'
  readonly addresses: readonly Address[]
  readonly parameters: readonly string[] = []
  readonly #ways = new Map<string, Way>()
  /** By dialling node, then by dialled one. */
  readonly #doors: readonly (readonly (Door | undefined)[])[]

  private constructor(ports: readonly number[], ways: Map<string, Way>, doors: Door[][]) {
    this.addresses = ports.map((port, place) => ({
      id: idOf(place),
      url: `http://127.0.0.1:${port}`,
    }))
    this.#ways = ways
    this.#doors = doors
  }

  static async open(nodes: number): Promise<ProxyNetwork> {
    const first = await freePorts(nodes)
    const ports = Array.from({ length: nodes }, (_, place) => first + place)
    const ways = new Map<string, Way>()
    for (const from of ports.keys()) {
      for (const to of ports.keys()) ways.set(`${from}>${to}`, new Way())
    }
    const wayOf = (from: number, to: number): Way => ways.get(`${from}>${to}`) as Way
    const doors = await Promise.all(
      ports.map((_, from) =>
        Promise.all(
          ports.map((port, to) =>
            openDoor(port, { there: wayOf(from, to), back: wayOf(to, from) }),
          ),
        ),
      ),
    )
    return new ProxyNetwork(ports, ways, doors)
  }

  peersFor(place: number): string {
    return this.addresses
      .map(({ id, url }, other) => {
        const door = this.#doors[place]?.[other]
        return other === place ? `${id}=${url}` : `${id}=${url};peer=http://127.0.0.1:${door?.port}`
      })
      .join(',')
  }

  runnerFor(): readonly string[] {
    return []
  }

  cut(links: readonly Link[]): void {
    for (const way of this.#of(links)) way.cut()
  }

  mend(links: readonly Link[]): void {
    for (const way of this.#of(links)) way.mend()
  }

  slow(links: readonly Link[], delayMs: number): void {
    for (const way of this.#of(links)) way.delayMs = delayMs
  }

  reset(links: readonly Link[]): void {
    for (const way of this.#of(links)) way.reset()
  }

  #of(links: readonly Link[]): Way[] {
    return links.flatMap(([from, to]) => this.#ways.get(`${from}>${to}`) ?? [])
  }

  close(): void {
    for (const door of this.#doors.flat()) door?.server.close()
    for (const way of this.#ways.values()) way.mend()
    for (const way of this.#ways.values()) way.reset()
  }
}

function openDoor(target: number, { there, back }: { there: Way; back: Way }): Promise<Door> {
  return new Promise((resolve, reject) => {
    const server = createServer((near) => {
      const far = connect(target, '127.0.0.1')
      there.carry(near, far)
      back.carry(far, near)
    })
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      resolve({ server, port: (server.address() as AddressInfo).port })
    })
  })
}
