/**
 * Who shares one rate: an IPv4 address, or the 64 leading bits of an IPv6 address, which one
 * customer has to himself and can change the rest of at will.
 */
export function clientOf(address: string): string {
  if (!address.includes(':')) return address
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? []
  const leading = head === '' ? [] : head.split(':')
  const trailing = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - leading.length - trailing.length
  const groups = [...leading, ...Array.from({ length: zeros }, () => '0'), ...trailing]
  return `${groups.slice(0, 4).join(':').toLowerCase()}::/64`
}
