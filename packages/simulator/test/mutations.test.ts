import * as nodeModule from 'node:module'
import { InvariantViolation } from '@shoal/kernel'
import t from 'tap'
import { allMutations } from '../src/mutations/all-mutations.ts'
import { applyMutation, type Mutation } from '../src/mutations/mutation.ts'
import { canPlant, fileOf, plantedSource } from '../src/mutations/plant.ts'

/**
 * Every rule of the protocol that is in the code by now and that one cluster of one epoch shows.
 */
const rules = [
  ...['V1', 'V2', 'V3', 'V4', 'V5', 'V6', 'V7', 'V8', 'V9', 'V10', 'V11', 'V12'],
  ...['A1', 'A2', 'A3', 'durability', 'Q1', 'Q2', 'Q4', 'Q5', 'Q7', 'Q9', 'S1', 'D1', 'D2'],
  ...['E1', 'O1', 'O2', 'O4'],
]

t.test('each bug has exactly one place in the built code and changes it', async (t) => {
  for (const mutation of allMutations) {
    t.doesNotThrow(() => plantedSource(mutation), mutation.name)
    t.not(mutation.find, mutation.replace, mutation.name)
  }
})

t.test('each bug has a name of its own and says what would go wrong', async (t) => {
  const names = allMutations.map(({ name }) => name)
  t.equal(new Set(names).size, names.length)
  t.ok(allMutations.length >= 36)
  for (const { name, harm } of allMutations) t.match(harm, /^[A-Z].*\.$/, name)
})

t.test('each rule is broken at least once', async (t) => {
  const broken = new Set(allMutations.map(({ rule }) => rule))
  for (const rule of rules) t.ok(broken.has(rule), rule)
})

t.test('a bug whose place has moved or been doubled is no bug any more', async (t) => {
  const bug = { name: 'b', rule: 'V1', harm: 'H.', file: 'f', find: 'a = 1', replace: 'a = 2' }
  t.equal(applyMutation(bug, 'let a = 1;'), 'let a = 2;')
  t.throws(() => applyMutation(bug, 'let a = 3;'), InvariantViolation)
  t.throws(() => applyMutation(bug, 'let a = 1; a = 1;'), InvariantViolation)
})

interface Hooks {
  resolve(name: string, context: unknown, next: (name: string, context: unknown) => object): object
  load(url: string, context: unknown, next: (url: string, context: unknown) => object): object
}
const { registerHooks } = nodeModule as {
  registerHooks?: (hooks: Partial<Hooks>) => { deregister(): void }
}

t.test('the code with a bug in it still loads', { skip: !canPlant }, async (t) => {
  const urlOf = (mutation: Mutation): string => `${fileOf(mutation).href}?bug=${mutation.name}`
  const sources = new Map(allMutations.map((bug) => [urlOf(bug), plantedSource(bug)]))
  const hooks = registerHooks?.({
    load: (url, context, next) => {
      const source = sources.get(url)
      return source === undefined
        ? next(url, context)
        : { format: 'module', source, shortCircuit: true }
    },
  })
  t.teardown(() => hooks?.deregister())
  for (const bug of allMutations) await t.resolves(import(urlOf(bug)), bug.name)
})
