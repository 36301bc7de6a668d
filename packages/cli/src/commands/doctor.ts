/** `shoal doctor`. */
import { type ExaminedConfig, inspectConfig } from '@shoal/node/config'
import type { CredentialOptions } from '../cluster/credentials.ts'
import { examineDirectory } from '../doctor/directory.ts'
import { type Finding, failure, ok, skipped, warning } from '../doctor/finding.ts'
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

interface Options extends CredentialOptions {
  readonly config?: string
  readonly data?: string
  readonly listen?: string
  readonly url?: string
  readonly timeout: number
  readonly json?: true
}

/** Looks at everything it can, whatever it finds on the way. */
export async function doctor({ out, environment }: Io, options: Options): Promise<ExitCode> {
  const { settings, data, listen } = whatToLookAt(options, environment)
  const machine = lookAtMachine()
  const findings = [
    judgeNodeVersion(machine),
    judgePlatform(machine),
    judgeOpenFiles(machine),
    await examineStore(),
    settings,
    ...(data === undefined
      ? [skipped('data directory', 'not looked at', '--data DIR')]
      : await examineDirectory(data)),
    listen === undefined
      ? skipped('port', 'not looked at', '--listen HOST:PORT')
      : await examinePort(listen.host, listen.port),
    ...(options.url === undefined
      ? [skipped('cluster', 'not asked', '--url URL')]
      : await examineCluster({ ...options, url: options.url })),
  ]
  const failures = findings.filter(({ verdict }) => verdict === 'failure').length
  if (options.json) out.json({ ok: failures === 0, findings })
  else out.lines(doctorLines(findings, out.paint))
  return failures === 0 ? exitCodes.done : exitCodes.failed
}

interface LookAt {
  readonly settings: Finding
  readonly data: string | undefined
  readonly listen: { readonly host: string; readonly port: number } | undefined
}

/** A file or a variable that names a node makes its configuration a thing to look at. */
function whatToLookAt(options: Options, environment: Io['environment']): LookAt {
  const { config, data, listen } = options
  const given = listen === undefined ? undefined : parseListen(listen)
  const isConfigured = [config, environment.SHOAL_CONFIG, environment.SHOAL_NODE_ID].some(Boolean)
  if (!isConfigured) {
    return { settings: skipped('settings', 'not read', '--config FILE'), data, listen: given }
  }
  const examined = inspectConfig({ flags: { config, data, listen }, environment })
  const { shown, error } = examined
  return {
    settings: judgeSettings(examined),
    data: shown.data === '' ? undefined : shown.data,
    listen: error === undefined ? parseListen(shown.listen) : given,
  }
}

function judgeSettings({ error, warnings }: ExaminedConfig): Finding {
  if (error !== undefined) {
    const faults = error.details.errors?.map(({ field, message }) => `${field}: ${message}`) ?? []
    return failure('settings', faults.join('; ') || error.message, 'shoal config show --origins')
  }
  const [first] = warnings
  if (first === undefined) return ok('settings', 'nothing in them is wrong')
  return warning('settings', `${first.field}: ${first.message}`, 'shoal config show --origins')
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
