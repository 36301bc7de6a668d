/**
 * Sets of small whole numbers, as bits. They are never changed once made, so that states share
 * them. Words beyond the end of one are zero.
 */
export type Bits = Uint32Array

export const noBits: Bits = new Uint32Array(0)

export function hasBit(set: Bits, member: number): boolean {
  return (((set[member >>> 5] ?? 0) >>> (member & 31)) & 1) === 1
}

export function withBit(set: Bits, member: number): Bits {
  if (hasBit(set, member)) return set
  const result = new Uint32Array(Math.max(set.length, (member >>> 5) + 1))
  result.set(set)
  result[member >>> 5] = (result[member >>> 5] as number) | (1 << (member & 31))
  return result
}

/** Adds to a set that nobody else has seen yet and that is long enough. */
export function addTo(growing: Bits, added: Bits): void {
  for (let word = 0; word < added.length; word++) {
    growing[word] = (growing[word] as number) | (added[word] as number)
  }
}

/** Takes from a set that nobody else has seen yet. */
export function takeFrom(shrinking: Bits, removed: Bits): void {
  const length = Math.min(shrinking.length, removed.length)
  for (let word = 0; word < length; word++) {
    shrinking[word] = (shrinking[word] as number) & ~(removed[word] as number)
  }
}

/** One of its arguments where that is the result. */
export function union(one: Bits, other: Bits): Bits {
  if (one === other || within(other, one)) return one
  if (within(one, other)) return other
  const [longer, shorter] = one.length >= other.length ? [one, other] : [other, one]
  const result = new Uint32Array(longer)
  addTo(result, shorter)
  return result
}

export function intersection(one: Bits, other: Bits): Bits {
  const length = Math.min(one.length, other.length)
  const result = new Uint32Array(length)
  for (let word = 0; word < length; word++) {
    result[word] = (one[word] as number) & (other[word] as number)
  }
  return result
}

export function without(set: Bits, removed: Bits): Bits {
  const result = new Uint32Array(set)
  takeFrom(result, removed)
  return result
}

/** Whether every member of `inner` is one of `outer`. */
export function within(inner: Bits, outer: Bits): boolean {
  for (let word = 0; word < inner.length; word++) {
    if (((inner[word] as number) & ~(outer[word] ?? 0)) !== 0) return false
  }
  return true
}

export const sameBits = (one: Bits, other: Bits): boolean =>
  one === other || (within(one, other) && within(other, one))

export function isEmpty(set: Bits): boolean {
  for (let word = 0; word < set.length; word++) if (set[word] !== 0) return false
  return true
}

/**
 * The largest member, −1 when there is none.
 *
 * @param below  no member is as large as that
 */
export function highestBit(set: Bits, below = 32 * set.length): number {
  for (let word = Math.min(set.length - 1, below >>> 5); word >= 0; word--) {
    const bits = set[word] as number
    if (bits !== 0) return word * 32 + 31 - Math.clz32(bits)
  }
  return -1
}

/** Members, ascending. */
export function members(set: Bits): number[] {
  const list: number[] = []
  for (let word = 0; word < set.length; word++) {
    let bits = set[word] as number
    while (bits !== 0) {
      const lowest = 31 - Math.clz32(bits & -bits)
      list.push(word * 32 + lowest)
      bits &= bits - 1
    }
  }
  return list
}

/**
 * What is in at least `count` of the sets. Everything is in at least none of them, which has no
 * form here: `count` is 1 or more.
 */
export function inAtLeast(count: number, sets: readonly Bits[]): Bits {
  if (count > sets.length) return noBits
  // After each set, `atLeast[k]` is what was in k + 1 of those before it.
  const atLeast: Bits[] = Array.from({ length: count }, () => noBits)
  for (const set of sets) {
    for (let level = count - 1; level > 0; level--) {
      const again = intersection(atLeast[level - 1] as Bits, set)
      atLeast[level] = union(atLeast[level] as Bits, again)
    }
    atLeast[0] = union(atLeast[0] as Bits, set)
  }
  return atLeast[count - 1] as Bits
}
