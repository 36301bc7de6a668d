/**
 * `npm run simulate`: the cluster on virtual time. Installs and builds what is missing; parameters
 * after `--` go to it.
 */
import { launch } from './lib/launch.mjs'

await launch(['packages', 'simulator', 'dist', 'src', 'main.js'])
