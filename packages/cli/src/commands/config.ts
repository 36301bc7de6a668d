/** `shoal config show`. */
import { type ConfigFlags, describeConfig, inspectConfig } from '@shoal/node/config'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { describeFailure, failureLines } from '../failure.ts'
import { onOneLine } from '../format/plain-text.ts'
import { tableLines } from '../format/table.ts'
import type { Io } from '../terminal.ts'

interface Options extends ConfigFlags {
  readonly origins?: true
  readonly json?: true
}

/** Shows a wrong configuration as well, and what is wrong with it. */
export async function showConfig(
  { out, err, environment }: Io,
  options: Options,
): Promise<ExitCode> {
  const { origins, json, ...flags } = options
  const examined = inspectConfig({ flags, environment })
  const { error, warnings } = examined
  const rows = describeConfig(examined)
  const failure = error === undefined ? undefined : describeFailure(error)
  if (json) out.json({ settings: rows, warnings, ...(failure ? { error: failure } : {}) })
  else {
    const columns = [{ title: 'setting' }, { title: 'value' }, { title: 'from' }]
    const cells = rows.map(({ name, value, origin }) => [name, onOneLine(value), origin])
    const wanted = origins ? 3 : 2
    out.lines(
      tableLines(
        columns.slice(0, wanted),
        cells.map((row) => row.slice(0, wanted)),
        out.paint.dim,
      ),
    )
    err.lines(
      warnings.map((each) => `${err.paint.yellow('warning:')} ${each.field}: ${each.message}`),
    )
    if (failure) err.lines(failureLines(failure, err.paint))
  }
  return failure?.exit ?? exitCodes.done
}
