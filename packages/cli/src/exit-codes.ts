/** How a command ended, for scripts. Shown by `--help` and in `docs/cli.md`. */
export const exitCodes = {
  done: 0,
  notFound: 1,
  usage: 2,
  unavailable: 3,
  unknownOutcome: 4,
  failed: 5,
  /** 128 + SIGINT, as shells count. */
  interrupted: 130,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

export const exitCodeHelp = `Exit codes:
  0  done
  1  not found
  2  usage: the command or the request is wrong; nothing was done
  3  unavailable: nothing was done; it may work later
  4  unknown outcome: the write may or may not have been done
  5  failed otherwise: refused by the state of the key or the cluster, damaged data, or a bug`
