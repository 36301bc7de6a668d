import { ApiError } from './api.ts'

/** The control interface of a local cluster that may be disturbed: `shoal dev --chaos`. */
export type FaultAction = 'start' | 'stop' | 'kill' | 'pause' | 'resume'

export interface DisturbedNode {
  readonly id: string
  readonly condition: string
}

export interface DisturbedLink {
  readonly nodes: readonly [string, string]
  readonly condition: 'whole' | 'cut'
}

export class Faults {
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  nodes = (): Promise<DisturbedNode[]> => this.#ask('GET', '/nodes')
  links = (): Promise<DisturbedLink[]> => this.#ask('GET', '/links')
  act = (node: string, action: FaultAction): Promise<unknown> =>
    this.#ask('POST', `/nodes/${node}/${action}`)
  link = ([one, other]: readonly [string, string], action: 'cut' | 'heal'): Promise<unknown> =>
    this.#ask('POST', `/links/${one}/${other}/${action}`)
  heal = (): Promise<unknown> => this.#ask('POST', '/heal')

  /** @throws ApiError */
  async #ask<T>(method: string, path: string): Promise<T> {
    const response = await fetch(this.#url + path, { method }).catch(() => undefined)
    const body: unknown = await response?.json().catch(() => undefined)
    if (response?.ok) return body as T
    const said = (body as { error?: string } | undefined)?.error
    throw new ApiError({
      title: 'The fault was not made',
      status: response?.status ?? 0,
      code: '',
      detail: said ?? 'The control interface of the local cluster does not answer.',
    })
  }
}
