import fc from 'fast-check'

export const seed = Number(process.env.SHOAL_SEED ?? 20_071_014)

/** @throws with the counterexample and the seed that finds it again */
export function holds<T>(property: fc.IProperty<T>, numRuns: number): true {
  fc.assert(property, { seed, numRuns })
  return true
}

/** As `holds`, for properties that wait. */
export async function holdsAsync<T>(
  property: fc.IAsyncProperty<T>,
  numRuns: number,
): Promise<true> {
  await fc.assert(property, { seed, numRuns })
  return true
}
