/** Many sockets that do nothing. */
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import type { Answer } from './http.ts'
import { parseAnswer } from './raw.ts'

const AT_ONCE = 250

/** Open files that this process may have; Node has raised its own limit as far as it may. */
export function socketsAllowed(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8')
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0)
}

export class Flood {
  readonly #sockets = new Set<Socket>()
  /** What was said to sockets that had asked for nothing. */
  readonly refusals: Answer[] = []
  /** Closed without a whole answer. */
  broken = 0
  #closing = false

  /**
   * @param asking  so many of the first make one request and then stay; a node has more patience
   *   with those than with the others, which say nothing at all
   */
  static async open(
    url: string,
    { count, asking }: { count: number; asking: number },
  ): Promise<Flood> {
    const flood = new Flood()
    const port = Number(new URL(url).port)
    for (let opened = 0; opened < count; opened += AT_ONCE) {
      const wave = Array.from({ length: Math.min(AT_ONCE, count - opened) }, (_, at) =>
        flood.#open(port, opened + at < asking),
      )
      await Promise.all(wave)
    }
    return flood
  }

  #open(port: number, asks: boolean): Promise<void> {
    return new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', resolve)
      if (asks) socket.write('GET /livez HTTP/1.1\r\nHost: n\r\n\r\n')
      const pieces: Buffer[] = []
      this.#sockets.add(socket)
      socket.on('error', () => resolve())
      socket.on('data', (piece: Buffer) => pieces.push(piece))
      socket.on('close', () => {
        this.#sockets.delete(socket)
        this.#ended(Buffer.concat(pieces))
        resolve()
      })
    })
  }

  #ended(bytes: Buffer): void {
    if (this.#closing) return
    const answer = parseAnswer(bytes, true)
    if (answer === undefined) this.broken++
    else this.refusals.push(answer)
  }

  close(): void {
    this.#closing = true
    for (const socket of this.#sockets) socket.destroy()
  }
}
