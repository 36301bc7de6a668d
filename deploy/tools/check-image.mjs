/** `npm run image`: see image.mjs. */
import { checkImage } from './image.mjs'

const at = process.argv.indexOf('--keep')
try {
  await checkImage(at < 0 ? {} : { keep: process.argv[at + 1] })
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
}
