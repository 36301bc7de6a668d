/** Signals that ask a process to stop: the first in good order, a second at once. */

const all: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * One Ctrl-C may arrive twice: from the terminal, and passed on by npm or another parent. Only a
 * signal later than this is a second one.
 */
const SAME_WISH_MS = 500

export interface StopSignals {
  /** Settles at the first signal. */
  readonly asked: Promise<void>
  /** Back to what the process does by itself. */
  release(): void
}

/**
 * @param insist  called once, at the second signal
 * @param now     milliseconds that never go back
 * @param signals  those that mean it
 */
export function stopSignals(
  insist: () => void,
  now = () => performance.now(),
  signals = all,
): StopSignals {
  let first: number | undefined
  let ask: () => void = () => {}
  const asked = new Promise<void>((resolve) => {
    ask = resolve
  })
  const hear = (): void => {
    if (first === undefined) {
      first = now()
      ask()
    } else if (now() - first > SAME_WISH_MS) {
      release()
      insist()
    }
  }
  const release = (): void => {
    for (const signal of signals) process.off(signal, hear)
  }
  for (const signal of signals) process.on(signal, hear)
  return { asked, release }
}
