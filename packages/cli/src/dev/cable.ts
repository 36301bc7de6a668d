/**
 * One direction of dialling between two nodes: a port that leads to another, until it is cut.
 *
 * A cut network tells nobody. So a cut cable closes nothing: bytes stay where they are, connections
 * are taken and lead nowhere, and even the end of a process is not carried across. Both nodes have
 * to find out by their own timeouts, as they would with real machines.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { limits } from '@shoal/kernel'
import { DEV_HOST } from './plan.ts'

interface Pair {
  readonly near: Socket
  readonly far: Socket
}

export class Cable {
  readonly #server: Server
  readonly #targetPort: number
  readonly #pairs = new Set<Pair>()
  /** Connections taken since the cut, oldest first. */
  #waiting: Socket[] = []
  #isCut = false

  private constructor(server: Server, targetPort: number) {
    this.#server = server
    this.#targetPort = targetPort
    server.on('connection', (near) => this.#take(near))
  }

  /** Listens on a free port when it resolves. Rejects as `listen` does. */
  static async open(targetPort: number): Promise<Cable> {
    const server = createServer()
    const cable = new Cable(server, targetPort)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, DEV_HOST, resolve)
    })
    return cable
  }

  get url(): string {
    return `http://${DEV_HOST}:${(this.#server.address() as AddressInfo).port}`
  }

  cut(): void {
    this.#isCut = true
    for (const { near, far } of this.#pairs) {
      near.pause()
      far.pause()
    }
  }

  /** What was in the cable arrives late, as it may in a network. */
  mend(): void {
    this.#isCut = false
    for (const pair of this.#pairs) {
      if (pair.near.destroyed || pair.far.destroyed) this.#drop(pair)
      else {
        pair.near.resume()
        pair.far.resume()
      }
    }
    const waiting = this.#waiting.filter(({ destroyed }) => !destroyed)
    this.#waiting = []
    for (const near of waiting) this.#join(near)
  }

  close(): void {
    this.#server.close()
    for (const pair of this.#pairs) this.#drop(pair)
    for (const near of this.#waiting) near.destroy()
    this.#waiting = []
  }

  #take(near: Socket): void {
    near.on('error', () => {})
    if (!this.#isCut) return this.#join(near)
    this.#waiting.push(near.pause())
    if (this.#waiting.length > limits.devCableWaitingMax) this.#waiting.shift()?.destroy()
  }

  #join(near: Socket): void {
    const far = connect(this.#targetPort, DEV_HOST)
    const pair = { near, far }
    far.on('error', () => {})
    this.#pairs.add(pair)
    this.#carry(near, far, pair)
    this.#carry(far, near, pair)
  }

  #carry(from: Socket, to: Socket, pair: Pair): void {
    from.setNoDelay(true)
    from.on('data', (bytes) => {
      if (!to.write(bytes)) from.pause()
    })
    to.on('drain', () => {
      if (!this.#isCut) from.resume()
    })
    from.on('close', () => {
      if (!this.#isCut) this.#drop(pair)
    })
    from.resume()
  }

  #drop(pair: Pair): void {
    this.#pairs.delete(pair)
    pair.near.destroy()
    pair.far.destroy()
  }
}
