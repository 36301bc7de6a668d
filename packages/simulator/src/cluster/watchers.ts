import type { Observer } from '../check/observer.ts'

/** Everyone who is told. What goes wrong with one of them is no fault of the node it is told of. */
export class Watchers {
  readonly #list: Observer[] = []
  readonly #onError: (error: unknown) => void

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  add(observer: Observer): void {
    this.#list.push(observer)
  }

  tell<Name extends keyof Observer>(
    name: Name,
    ...told: Parameters<NonNullable<Observer[Name]>>
  ): void {
    for (const observer of this.#list) {
      const method = observer[name] as ((...told: unknown[]) => void) | undefined
      try {
        method?.apply(observer, told)
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}
