/** What reading one value comes to. */

/** What is wrong with a value, and where in it. */
export interface Problem {
  readonly message: string
  /** The member or attribute that is wrong. */
  readonly part?: string
  /** Characters from the beginning of the text. */
  readonly offset?: number
}

export type Reading<T> =
  | {
      readonly value: T
      /** As people may see it, and write it themselves. */
      readonly shown: string
    }
  | { readonly problems: readonly Problem[] }

export const wrong = (message: string, offset?: number): { readonly problems: Problem[] } => ({
  problems: [offset === undefined ? { message } : { message, offset }],
})

/** The end of a refusal of a name that is not known. */
export const didYouMean = (near: string | undefined): string =>
  near === undefined ? '' : `; did you mean ${near}?`
