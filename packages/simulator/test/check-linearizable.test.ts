import { createSeededRandom, type Random } from '@shoal/kernel'
import fc from 'fast-check'
import t from 'tap'
import {
  checkLinearizable,
  type RegisterInput,
  register,
  type TimedOperation,
} from '../src/check/linearizable.ts'

type Operation = TimedOperation<RegisterInput>

const write = (value: string): RegisterInput => ({ kind: 'write', value })
const read = (value?: string): RegisterInput => ({ kind: 'read', value })
const swap = (expected: string | undefined, value: string, swapped = true): RegisterInput => ({
  kind: 'cas',
  expected,
  value,
  swapped,
})

/** Operations as [from, to, what]; a `to` of −1 is an operation nobody knows the end of. */
function history(...rows: [number, number, RegisterInput][]): Operation[] {
  return rows.map(([invoked, returned, input], index) => ({
    id: `o${index}`,
    invoked,
    returned: returned < 0 ? undefined : returned,
    input,
  }))
}

const verdict = (...rows: [number, number, RegisterInput][]): string =>
  checkLinearizable(history(...rows), register).kind

t.test('histories that are linearizable', async (t) => {
  t.equal(verdict(), 'linearizable', 'nothing happened')
  t.equal(verdict([0, 1, write('a')], [2, 3, read('a')]), 'linearizable')
  t.equal(verdict([0, 1, read()], [2, 3, write('a')]), 'linearizable', 'empty at first')
  t.equal(verdict([0, 9, write('a')], [1, 2, read()], [3, 4, read('a')]), 'linearizable')
  t.equal(
    verdict([0, 9, write('a')], [0, 9, write('b')], [10, 11, read('a')], [12, 13, read('a')]),
    'linearizable',
    'of two writes at one time either may be the last',
  )
  t.equal(verdict([0, 5, write('a')], [5, 6, read()]), 'linearizable', 'they touch, so overlap')
  t.equal(
    verdict([0, 1, swap(undefined, 'a')], [2, 3, swap('b', 'c', false)], [4, 5, read('a')]),
    'linearizable',
  )
})

t.test('histories that are not', async (t) => {
  t.equal(verdict([0, 1, write('a')], [2, 3, read()]), 'violated', 'a lost write')
  t.equal(
    verdict([0, 1, write('a')], [2, 3, write('b')], [4, 5, read('a')]),
    'violated',
    'a stale read',
  )
  t.equal(
    verdict([0, 9, write('a')], [1, 2, read('a')], [3, 4, read()]),
    'violated',
    'once seen, seen for ever',
  )
  t.equal(
    verdict([0, 1, write('x')], [2, 9, swap('x', 'a')], [2, 9, swap('x', 'b')]),
    'violated',
    'both swapped the same value',
  )
  t.equal(verdict([0, 1, read('z')]), 'violated', 'nobody wrote it')
  t.equal(
    verdict([0, 1, write('x')], [2, 3, swap('x', 'y', false)]),
    'violated',
    'it should have swapped',
  )
})

t.test('operations of unknown outcome', async (t) => {
  t.equal(verdict([0, -1, write('a')], [5, 6, read()]), 'linearizable', 'it never happened')
  t.equal(verdict([0, -1, write('a')], [5, 6, read('a')]), 'linearizable', 'it did')
  t.equal(
    verdict([0, -1, write('a')], [5, 6, read()], [7, 8, read('a')]),
    'linearizable',
    'it did, late',
  )
  t.equal(
    verdict([0, -1, write('a')], [5, 6, read('a')], [7, 8, read()]),
    'violated',
    'what has happened stays so',
  )
  t.equal(
    verdict([3, -1, write('a')], [0, 1, read('a')]),
    'violated',
    'nothing happens before it was asked for',
  )
  t.equal(verdict([0, 1, write('x')], [2, -1, swap('x', 'y')], [3, 4, read('y')]), 'linearizable')
  t.equal(verdict([0, 1, write('x')], [2, -1, swap('z', 'y')], [3, 4, read('y')]), 'violated')
})

t.test('what could not be placed is named', async (t) => {
  const found = checkLinearizable(
    history([0, 1, write('a')], [2, 3, write('b')], [4, 5, read('a')]),
    register,
  )
  t.same(found, { kind: 'violated', order: ['o0', 'o1'], stuck: 'o2' })
})

t.test('without a verdict it says so', async (t) => {
  const many = Array.from({ length: 14 }, (_none, index): [number, number, RegisterInput] => [
    0,
    100,
    write(`v${index}`),
  ])
  const rows = history(...many, [101, 102, read('nobody')])
  t.equal(checkLinearizable(rows, register, { cap: 500 }).kind, 'capped')
})

t.test('the order found is a true one', async () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const operations = honestHistory(createSeededRandom(`honest ${seed}`))
      const found = checkLinearizable(operations, register)
      return found.kind === 'linearizable' && isTrueOrder(operations, found.order)
    }),
    { seed: 20_071_014, numRuns: 300 },
  )
})

t.test('it agrees with trying every order', async () => {
  const kinds = new Map<string, number>()
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const operations = anyHistory(createSeededRandom(`any ${seed}`))
      const found = checkLinearizable(operations, register).kind
      kinds.set(found, (kinds.get(found) ?? 0) + 1)
      return (found === 'linearizable') === tryEveryOrder(operations)
    }),
    { seed: 20_071_014, numRuns: 500 },
  )
  t.ok((kinds.get('linearizable') ?? 0) > 50, 'some are')
  t.ok((kinds.get('violated') ?? 0) > 50, 'some are not')
})

t.test('a thousand operations of four clients take no time', async (t) => {
  const operations = honestHistory(createSeededRandom('long'), 1_000)
  t.equal(checkLinearizable(operations, register).kind, 'linearizable')
})

/** Four clients on a real register, each operation taking effect somewhere within its span. */
function honestHistory(random: Random, length = 30): Operation[] {
  const clients = [0, 0, 0, 0]
  const effects = Array.from({ length }, (_none, index) => {
    const client = random.below(clients.length)
    const invoked = (clients[client] as number) + random.below(5)
    const effect = invoked + random.below(10)
    const returned = effect + random.below(10)
    clients[client] = returned + 1
    return { index, invoked, effect, returned }
  })
  let held: string | undefined
  const ordered = effects.sort((one, other) => one.effect - other.effect || one.index - other.index)
  return ordered.map(({ index, invoked, returned }): Operation => {
    const input = someInput(random, held)
    if (input.kind === 'write' || (input.kind === 'cas' && input.swapped)) held = input.value
    const known = random.below(10) > 0
    return { id: `o${index}`, invoked, returned: known ? returned : undefined, input }
  })
}

function someInput(random: Random, held: string | undefined): RegisterInput {
  const value = `v${random.below(4)}`
  const dice = random.below(3)
  if (dice === 0) return write(value)
  if (dice === 1) return read(held)
  const expected = random.below(2) === 0 ? held : `v${random.below(4)}`
  return swap(expected, value, expected === held)
}

function anyHistory(random: Random): Operation[] {
  return Array.from({ length: 1 + random.below(6) }, (_none, index): Operation => {
    const invoked = random.below(8)
    const returned = random.below(5) === 0 ? undefined : invoked + random.below(5)
    const held = random.below(3) === 0 ? undefined : `v${random.below(3)}`
    return { id: `o${index}`, invoked, returned, input: someInput(random, held) }
  })
}

function isTrueOrder(operations: readonly Operation[], order: readonly string[]): boolean {
  const placed = order.map((id) => operations.find((each) => each.id === id) as Operation)
  const missing = operations.filter(({ id }) => !order.includes(id))
  if (missing.some(({ returned }) => returned !== undefined)) return false
  let latest = Number.NEGATIVE_INFINITY
  let state: string | undefined | null = register.initial
  for (const { invoked, returned, input } of placed) {
    latest = Math.max(latest, invoked)
    if (returned !== undefined && returned < latest) return false
    const next = register.step(state, input, returned !== undefined)
    if (next === undefined) return false
    state = next
  }
  return true
}

/** The obvious search, for small histories. */
function tryEveryOrder(operations: readonly Operation[]): boolean {
  const place = (order: readonly string[]): boolean => {
    const isWhole = operations.every(
      ({ id, returned }) => returned === undefined || order.includes(id),
    )
    if (isWhole && isTrueOrder(operations, order)) return true
    return operations.some(({ id }) => !order.includes(id) && place([...order, id]))
  }
  return place([])
}
