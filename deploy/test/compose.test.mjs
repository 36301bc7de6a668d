import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { accepted } from './support/settings.mjs'
import { folder, needs, passes, refuses, textOf } from './support/tool.mjs'

/** The image says where the data is; the compose file does not repeat it. */
const ofImage = { SHOAL_DATA: '/var/lib/shoal' }

const file = join(folder, 'compose', 'compose.yaml')

t.test('the library of docker compose reads the file', needs('compose-go'), async (t) => {
  const model = JSON.parse(await passes(t, 'compose-go', ['-format', 'json', file]))
  const nodes = Object.entries(model.services).filter(([name]) => /^n\d$/.test(name))
  t.equal(nodes.length, 3)
  for (const [name, service] of nodes) {
    const values = await accepted(t, name, { ...ofImage, ...service.environment })
    t.equal(values['node-id'], name)
    t.match(values.listen, /:4100$/, 'where the image is exposed')
  }
  for (const [name, { ports }] of Object.entries(model.services)) {
    for (const { host_ip } of ports) t.equal(host_ip, '127.0.0.1', `${name} is open to nobody else`)
  }
})

t.test('every folder that is mounted is here, and everything in it is', async (t) => {
  const mounted = [...textOf('compose/compose.yaml').matchAll(/- (\.\.\/[\w/]+):/g)]
  t.ok(mounted.length >= 3)
  for (const [, path] of mounted) t.ok(folderExists(join('compose', path)), path)
})

const folderExists = (path) => {
  try {
    textOf(path)
    return false
  } catch (error) {
    return error.code === 'EISDIR'
  }
}

t.test('it would refuse a word that is not in the schema', needs('compose-go'), async (t) => {
  const work = mkdtempSync(join(tmpdir(), 'shoal-compose-'))
  t.teardown(() => rmSync(work, { recursive: true }))
  const wrong = join(work, 'compose.yaml')
  writeFileSync(wrong, textOf('compose/compose.yaml').replace('restart:', 'restarts:'))
  await refuses(t, 'compose-go', [wrong], /restarts/)
})
