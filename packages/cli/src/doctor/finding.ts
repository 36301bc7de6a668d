/** One thing looked at. */
export interface Finding {
  readonly check: string
  /** `skipped`: not looked at; `found` says why. */
  readonly verdict: 'ok' | 'warning' | 'failure' | 'skipped'
  readonly found: string
  /** What to do; empty where nothing is to be done. */
  readonly advice: string
}

export const ok = (check: string, found: string): Finding => ({
  check,
  verdict: 'ok',
  found,
  advice: '',
})

export const warning = (check: string, found: string, advice: string): Finding => ({
  check,
  verdict: 'warning',
  found,
  advice,
})

export const failure = (check: string, found: string, advice: string): Finding => ({
  check,
  verdict: 'failure',
  found,
  advice,
})

export const skipped = (check: string, found: string, advice: string): Finding => ({
  check,
  verdict: 'skipped',
  found,
  advice,
})
