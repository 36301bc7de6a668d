/**
 * `npm start`: a cluster of this clone, from nothing. Installs and builds what is missing, then is
 * `shoal dev`; parameters after `--` go to it, and so do signals, and its exit code comes back.
 */
import { launch, whereTyped } from './lib/launch.mjs'

await launch(['packages', 'cli', 'bin', 'shoal.js'], {
  scope: 'command',
  cwd: whereTyped(),
  parameters: () => ['dev', ...process.argv.slice(2)],
})
