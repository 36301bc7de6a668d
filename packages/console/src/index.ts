/** @shoal/console: the page that every node serves at `/ui`. A program of the browser. */
export { consoleFolder } from './folder.ts'
// Withheld: the page itself, in `ui`.
