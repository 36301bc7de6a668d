import { readFileSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { fileURLToPath } from 'node:url'
import { invariant } from '@shoal/kernel'
import { applyMutation, type Mutation } from './mutation.ts'

interface Loaded {
  readonly format: string | null | undefined
  readonly source: string
  readonly shortCircuit: true
}

type Load = (
  url: string,
  context: unknown,
  next: (url: string, context: unknown) => Loaded,
) => Loaded

/** In Node 22.15 and 23.5 and later; our types describe Node 20. */
interface WithHooks {
  readonly registerHooks?: (hooks: { readonly load: Load }) => { deregister(): void }
}

const { registerHooks } = nodeModule as WithHooks

/** Whether this Node can change a module while it loads it. */
export const canPlant = registerHooks !== undefined

const packages = new URL('../../../../', import.meta.url)

/** The built file that a bug goes into. */
export const fileOf = ({ file }: Mutation): URL => new URL(file, packages)

export const plantedSource = (mutation: Mutation): string =>
  applyMutation(mutation, readFileSync(fileURLToPath(fileOf(mutation)), 'utf8'))

/**
 * From now on the module is loaded with the bug in it. To be called before anything imports it,
 * which is why a bug is planted in a process of its own.
 *
 * @returns  whether it has been loaded since: a bug in a file that nobody loads shows nothing
 */
export function plant(mutation: Mutation): () => boolean {
  invariant(registerHooks !== undefined, 'bugs are planted on Node 24')
  const { href } = fileOf(mutation)
  const source = plantedSource(mutation)
  let loaded = false
  registerHooks({
    load: (url, context, next) => {
      if (url !== href) return next(url, context)
      loaded = true
      return { format: 'module', source, shortCircuit: true }
    },
  })
  return () => loaded
}
