/** The seams at which a plan may make the code take the rarer of two legal ways. */
export const INJECTION_LABELS: readonly { label: string; refuses: boolean }[] = []
