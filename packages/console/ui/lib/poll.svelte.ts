import { ApiError } from './api.ts'

/**
 * Asks again and again while somebody looks: not in a hidden tab, and never twice at once. The last
 * good answer stays when a later one fails.
 */
export class Poll<T> {
  value = $state.raw<T | undefined>(undefined)
  error = $state.raw<ApiError | undefined>(undefined)
  readonly #ask: () => Promise<T>
  #busy = false

  /** To be made while a component is being set up: it ends with it. */
  constructor(ask: () => Promise<T>, everyMs: number) {
    this.#ask = ask
    $effect(() => {
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
      this.error = error
    } finally {
      this.#busy = false
    }
  }
}
