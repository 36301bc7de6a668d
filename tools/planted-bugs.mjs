/**
 * `npm run planted-bugs`: breaks the built code on purpose, one rule at a time, and simulates.
 * Installs and builds what is missing; parameters after `--` go to it.
 */
import { launch } from './lib/launch.mjs'

await launch(['packages', 'simulator', 'dist', 'src', 'mutations', 'planted-bugs.js'])
