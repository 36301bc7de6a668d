/** Where a node listens. */
import { type Reading, wrong } from './reading.ts'

export interface Address {
  /** A name or an address; IPv6 without brackets. */
  readonly host: string
  /** 0: the system chooses. */
  readonly port: number
}

const HOST_AND_PORT = /^(\[[^\]]*\]|[^:[\]/?#@\s]+):(\d{1,5})$/
const WANTED = 'it is HOST:PORT, such as 127.0.0.1:4100 or [::1]:4100'

/** The host comes out as browsers would write it, so that no spelling hides what it is. */
export function readAddress(text: string): Reading<Address> {
  const [, host = '', digits = ''] = HOST_AND_PORT.exec(text) ?? []
  if (host === '' || !URL.canParse(`http://${host}`)) return wrong(WANTED)
  const port = Number(digits)
  if (port > 65_535) return wrong(`a port is 0 to 65535, not ${port}`, text.lastIndexOf(':') + 1)
  const { hostname } = new URL(`http://${host}`)
  const address = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port }
  return { value: address, shown: formatAddress(address) }
}

export const formatAddress = ({ host, port }: Address): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`

/** Whether only this machine can reach it. Of names this is known for `localhost` alone. */
export const isLoopback = ({ host }: Address): boolean =>
  host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)

/** Whether it stands for every address of the machine. */
export const isWildcard = ({ host }: Address): boolean => host === '0.0.0.0' || host === '::'

/** How this machine reaches what listens there. */
export function urlOfAddress(address: Address, scheme: 'http' | 'https' = 'http'): string {
  const host = isWildcard(address) ? (address.host === '::' ? '::1' : '127.0.0.1') : address.host
  return `${scheme}://${formatAddress({ host, port: address.port })}`
}

/** The address behind a member's URL. */
export function addressOfUrl(url: string): Address {
  const { hostname, port, protocol } = new URL(url)
  const standard = protocol === 'https:' ? 443 : 80
  return {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? standard : Number(port),
  }
}
