import { setTimeout as wait } from 'node:timers/promises'

/** Sooner when the signal fires; never rejects. */
export async function pause(millis: number, signal?: AbortSignal): Promise<void> {
  await wait(Math.max(0, millis), undefined, signal === undefined ? {} : { signal }).catch(() => {})
}
