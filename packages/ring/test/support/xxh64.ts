/**
 * XXH64 as its specification reads, one step at a time on BigInt. Slow; only to judge the fast one.
 */
const MASK = (1n << 64n) - 1n
const P1 = 0x9e3779b185ebca87n
const P2 = 0xc2b2ae3d27d4eb4fn
const P3 = 0x165667b19e3779f9n
const P4 = 0x85ebca77c2b2ae63n
const P5 = 0x27d4eb2f165667c5n

const times = (a: bigint, b: bigint): bigint => (a * b) & MASK
const plus = (a: bigint, b: bigint): bigint => (a + b) & MASK
const rotate = (a: bigint, by: bigint): bigint => ((a << by) | (a >> (64n - by))) & MASK
const round = (lane: bigint, input: bigint): bigint =>
  times(rotate(plus(lane, times(input, P2)), 31n), P1)
const merge = (hash: bigint, lane: bigint): bigint => plus(times(hash ^ round(0n, lane), P1), P4)

export function slowXxh64(bytes: Uint8Array, seed = 0n): bigint {
  const little = (at: number, count: number): bigint => {
    let value = 0n
    for (let index = count - 1; index >= 0; index--)
      value = (value << 8n) | BigInt(bytes[at + index]!)
    return value
  }
  let at = 0
  let hash = plus(seed, P5)
  if (bytes.length >= 32) {
    const lanes = [plus(plus(seed, P1), P2), plus(seed, P2), seed, plus(seed, MASK + 1n - P1)]
    for (; at + 32 <= bytes.length; at += 32) {
      lanes.forEach((lane, index) => {
        lanes[index] = round(lane, little(at + 8 * index, 8))
      })
    }
    hash = lanes.reduce(
      (sum, lane, index) => plus(sum, rotate(lane, [1n, 7n, 12n, 18n][index]!)),
      0n,
    )
    for (const lane of lanes) hash = merge(hash, lane)
  }
  hash = plus(hash, BigInt(bytes.length))
  for (; at + 8 <= bytes.length; at += 8) {
    hash = plus(times(rotate(hash ^ round(0n, little(at, 8)), 27n), P1), P4)
  }
  if (at + 4 <= bytes.length) {
    hash = plus(times(rotate(hash ^ times(little(at, 4), P1), 23n), P2), P3)
    at += 4
  }
  for (; at < bytes.length; at++) {
    hash = times(rotate(hash ^ times(little(at, 1), P5), 11n), P1)
  }
  hash = times(hash ^ (hash >> 33n), P2)
  hash = times(hash ^ (hash >> 29n), P3)
  return hash ^ (hash >> 32n)
}
