/**
 * `npm run simulate`: many seeds, one again, or one made smaller. Ends with 1 when something was
 * found, with 2 when it was asked for what it cannot do.
 */
import { ShoalError } from '@shoal/kernel'
import { runManySeeds } from './command/many-seeds.ts'
import { compareRuns, replay, shrinkToFile } from './command/one-plan.ts'
import { readSettings, type Settings, USAGE } from './command/settings.ts'

const say = (line: string): void => void process.stdout.write(`${line}\n`)

async function main(settings: Settings): Promise<boolean> {
  if (settings.shrink !== undefined) return await shrinkToFile(settings, settings.shrink, say)
  if (settings.compare) return await compareRuns(settings, say)
  const isOne = settings.seed !== undefined || settings.plan !== undefined
  return isOne ? await replay(settings, say) : await runManySeeds(settings, say)
}

const parameters = process.argv.slice(2)
if (parameters.includes('--help')) {
  say(USAGE)
} else {
  try {
    process.exitCode = (await main(readSettings(parameters))) ? 0 : 1
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof ShoalError)) throw error
    process.stderr.write(`${error.message}\n\n${USAGE}\n`)
    process.exitCode = 2
  }
}
