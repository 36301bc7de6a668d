/** The build context: what of this repository gets into the image. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../../tools/lib/house.mjs'

export const dockerfile = join(root, 'deploy', 'docker', 'Dockerfile')

/** The files that git knows, less those that are ignored for the image. */
export function contextFiles() {
  const listed = ['ls-files', '--cached', '--others', '--exclude-standard', '-z']
  const files = execFileSync('git', listed, { cwd: root, encoding: 'utf8' }).split('\0')
  const ignored = ignores(readFileSync(`${dockerfile}.dockerignore`, 'utf8'))
  return files.filter((file) => file !== '' && existsSync(join(root, file)) && !ignored(file))
}

/** The forms that our file uses: `**` + `/` + a name with stars, and exceptions that follow. */
export function ignores(text) {
  const rules = text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, exception, anywhere, name] = /^(!?)(\*\*\/)?([^/]+)$/.exec(line) ?? []
      if (name === undefined) throw new Error(`not understood: ${line}`)
      const pattern = name.replaceAll('.', '\\.').replaceAll('*', '[^/]*')
      return { exception, at: new RegExp(`^${anywhere ? '(.*/)?' : ''}${pattern}(/|$)`) }
    })
  return (file) =>
    rules.reduce((out, { exception, at }) => (at.test(file) ? exception === '' : out), false)
}
