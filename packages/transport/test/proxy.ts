import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'

/** A cable that can be cut without either end being told. */
export interface Proxy {
  readonly url: string
  /** While held, bytes go nowhere and connections are taken but not answered. */
  hold(held: boolean): void
  close(): Promise<void>
}

export async function openProxy(targetUrl: string): Promise<Proxy> {
  const port = Number(new URL(targetUrl).port)
  const sockets = new Set<Socket>()
  let isHeld = false
  const join = (from: Socket, to: Socket) => {
    sockets.add(from)
    from.on('error', () => {})
    from.on('data', (chunk) => to.write(chunk))
    from.on('close', () => {
      sockets.delete(from)
      if (!isHeld) to.destroy()
    })
    if (isHeld) from.pause()
  }
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    join(near, far)
    join(far, near)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold: (held) => {
      isHeld = held
      for (const socket of sockets) held ? socket.pause() : socket.resume()
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}
