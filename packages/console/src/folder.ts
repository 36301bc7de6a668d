import { fileURLToPath } from 'node:url'

/** Where the built page lies: `index.html` and what it loads. */
export const consoleFolder = fileURLToPath(new URL('../site', import.meta.url))
