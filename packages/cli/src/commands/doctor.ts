/** `shoal doctor`. */
import { examineDirectory } from '../doctor/directory.ts'
import { type Finding, skipped } from '../doctor/finding.ts'
import {
  judgeNodeVersion,
  judgeOpenFiles,
  judgePlatform,
  lookAtMachine,
} from '../doctor/machine.ts'
import { examineCluster, examinePort } from '../doctor/network.ts'
import { examineStore } from '../doctor/store.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { UsageError } from '../failure.ts'
import { plural } from '../format/quantities.ts'
import type { Io, Paint } from '../terminal.ts'

interface Options {
  readonly data?: string
  readonly listen?: string
  readonly url?: string
  readonly timeout: number
  readonly json?: true
}

/** Looks at everything it can, whatever it finds on the way. */
export async function doctor({ out }: Io, options: Options): Promise<ExitCode> {
  const listen = options.listen === undefined ? undefined : parseListen(options.listen)
  const machine = lookAtMachine()
  const findings = [
    judgeNodeVersion(machine),
    judgePlatform(machine),
    judgeOpenFiles(machine),
    await examineStore(),
    ...(options.data === undefined
      ? [skipped('data directory', 'not looked at', '--data DIR')]
      : await examineDirectory(options.data)),
    listen === undefined
      ? skipped('port', 'not looked at', '--listen HOST:PORT')
      : await examinePort(listen.host, listen.port),
    ...(options.url === undefined
      ? [skipped('cluster', 'not asked', '--url URL')]
      : await examineCluster(options.url, options.timeout)),
  ]
  const failures = findings.filter(({ verdict }) => verdict === 'failure').length
  if (options.json) out.json({ ok: failures === 0, findings })
  else out.lines(doctorLines(findings, out.paint))
  return failures === 0 ? exitCodes.done : exitCodes.failed
}

export function parseListen(text: string): { host: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  const host = bracketed ?? plain
  if (host === undefined || host === '' || port < 1 || port > 65_535) {
    throw new UsageError(`--listen ${text} is not HOST:PORT`, 'Example: --listen 127.0.0.1:4100')
  }
  return { host, port }
}

export function doctorLines(findings: readonly Finding[], paint: Paint): string[] {
  const marks = {
    ok: paint.green('ok     '),
    warning: paint.yellow('warning'),
    failure: paint.red('FAILURE'),
    skipped: paint.dim('skipped'),
  }
  const width = Math.max(...findings.map(({ check }) => check.length))
  const count = (verdict: Finding['verdict']): number =>
    findings.filter((each) => each.verdict === verdict).length
  const [failures, warnings] = [count('failure'), count('warning')]
  return [
    ...findings.flatMap(({ check, verdict, found, advice }) => [
      `${marks[verdict]}  ${check.padEnd(width)}  ${found}`,
      ...(advice === '' ? [] : [`${' '.repeat(9 + width)}  ${paint.dim('->')} ${advice}`]),
    ]),
    '',
    failures + warnings === 0
      ? paint.green('nothing wrong was found')
      : `${plural(failures, 'failure')}, ${plural(warnings, 'warning')}`,
  ]
}
