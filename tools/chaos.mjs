/**
 * `npm run chaos`: real processes, and everything that can happen to them. Installs and builds what
 * is missing; parameters after `--` go to it.
 */
import { launch } from './lib/launch.mjs'

await launch(['test', 'dist', 'chaos', 'main.js'])
