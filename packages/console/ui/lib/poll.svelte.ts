import { access } from './access.svelte.ts'
import { ApiError } from './api.ts'

export interface PollOptions {
  /** Asks although nobody was let in yet: to find out. */
  readonly knocks?: boolean
}

/**
 * Asks again and again while somebody looks: not in a hidden tab, never twice at once, and not
 * where nobody is let in. The last good answer stays when a later one fails.
 */
export class Poll<T> {
  value = $state.raw<T | undefined>(undefined)
  error = $state.raw<ApiError | undefined>(undefined)
  readonly #ask: () => Promise<T>
  #busy = false

  /** To be made while a component is being set up: it ends with it. */
  constructor(ask: () => Promise<T>, everyMs: number, { knocks = false }: PollOptions = {}) {
    this.#ask = ask
    $effect(() => {
      if (access.refusal || !(knocks || access.isOpen)) return
      void this.refresh()
      const timer = setInterval(() => {
        if (!document.hidden) void this.refresh()
      }, everyMs)
      return () => clearInterval(timer)
    })
  }

  async refresh(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    try {
      this.value = await this.#ask()
      this.error = undefined
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      access.judge(error.problem)
      this.error = error
    } finally {
      this.#busy = false
    }
  }
}
