/** A cable that can be cut without either end being told. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export class Cable {
  readonly url: string
  readonly #sockets = new Set<Socket>()
  readonly #close: () => void
  #isCut = false

  private constructor(port: number, close: () => void) {
    this.url = `http://127.0.0.1:${port}`
    this.#close = close
  }

  static open(targetPort: number): Promise<Cable> {
    return new Promise((resolve, reject) => {
      const server = createServer((near) => cable.#join(near, connect(targetPort, '127.0.0.1')))
      let cable: Cable
      server.once('error', reject)
      server.listen(0, '127.0.0.1', () => {
        cable = new Cable((server.address() as AddressInfo).port, () => server.close())
        resolve(cable)
      })
    })
  }

  #join(near: Socket, far: Socket): void {
    this.#pass(near, far)
    this.#pass(far, near)
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from)
    from.on('error', () => {})
    from.on('data', (piece) => to.write(piece))
    from.on('close', () => {
      this.#sockets.delete(from)
      // A cable that is cut does not carry the end of a connection either.
      if (!this.#isCut) to.destroy()
    })
    if (this.#isCut) from.pause()
  }

  /** From now on bytes go nowhere, and connections are taken but lead nowhere. */
  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.pause()
  }

  /** What was in the cable arrives late, as it may in a network. */
  mend(): void {
    this.#isCut = false
    for (const socket of this.#sockets) socket.resume()
  }

  close(): void {
    this.#close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
