/** `npm run chaos`: real processes, and everything that can happen to them. */
import { type ChaosReport, describeReport } from './report.ts'
import { fitToMachine, runChaos } from './run.ts'
import { killCycles, splitBrain } from './scenarios.ts'
import { type Request, readRequest, USAGE } from './settings.ts'

const tell = (line: string): void => void process.stdout.write(`${line}\n`)

async function main(): Promise<number> {
  const request = readRequest(process.argv.slice(2))
  if (request === undefined) {
    tell(USAGE)
    return 0
  }
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      tell(`${signal}: ends after this round; once more ends now`)
      stopping.abort()
    })
  }
  const seeded = `seed ${request.seed}; --seed ${request.seed} makes the same plan again`
  const { killCycles: cycles, splitSeconds } = request
  if (cycles !== undefined || splitSeconds !== undefined) {
    tell(seeded)
    const network = request.networks.length === 1 ? request.networks[0] : undefined
    const settings = { ...request, network: network ?? 'proxies', signal: stopping.signal, tell }
    return told(
      cycles !== undefined
        ? await killCycles({ ...settings, nodes: request.nodes?.[0] ?? 3 }, cycles)
        : await splitBrain({ ...settings, nodes: request.nodes?.[0] ?? 5 }, splitSeconds ?? 60),
      request,
    )
  }
  const wanted = { ...request, nodes: request.nodes ?? [3, 5], roundsPerCluster: 2 }
  const { fit, leftOut } = fitToMachine(wanted)
  for (const reason of leftOut) tell(`left out: ${reason}`)
  tell(seeded)
  return told(await runChaos({ ...fit, signal: stopping.signal, tell }), request)
}

/** @returns the exit code */
function told(report: ChaosReport, request: Request): number {
  for (const line of describeReport(report, request)) tell(line)
  return report.violations.length + report.surprises.length === 0 ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n\n${USAGE}\n`)
  process.exitCode = 2
}
