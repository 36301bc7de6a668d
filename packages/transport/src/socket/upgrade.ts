import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { upgradeProtocol } from './dial.ts'

const SWITCHING = [
  'HTTP/1.1 101 Switching Protocols',
  'Connection: Upgrade',
  `Upgrade: ${upgradeProtocol}`,
  '\r\n',
].join('\r\n')

/** Answers the HTTP half of an upgrade. @returns whether frames may follow */
export function answerUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  { isReady, isCertified }: { readonly isReady: boolean; readonly isCertified: boolean },
): boolean {
  // Until a Connection listens, an error of this socket must not end the process.
  socket.on('error', () => {})
  const wanted = request.headers.upgrade?.toLowerCase()
  if (wanted !== upgradeProtocol) {
    refuse(socket, '426 Upgrade Required', `This listener upgrades to ${upgradeProtocol} only.`)
    return false
  }
  if (!isCertified) {
    refuse(socket, '403 Forbidden', 'Nodes of this cluster show a certificate of its authority.')
    return false
  }
  if (!isReady) {
    refuse(socket, '503 Service Unavailable', 'The node is starting or stopping.')
    return false
  }
  socket.write(SWITCHING)
  return true
}

function refuse(socket: Duplex, status: string, words: string): void {
  const head = [
    `HTTP/1.1 ${status}`,
    `Upgrade: ${upgradeProtocol}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(words)}`,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${words}`)
  socket.once('finish', () => socket.destroy())
}
