/** What is asked of a Dockerfile, after hadolint's list. */
import { filled, stagesOf } from '../../tools/dockerfile.mjs'

/**
 * @typedef {import('../../tools/dockerfile.mjs').Instruction} Instruction
 * @typedef {{ line: number, rule: string }} Finding
 */

const known = [
  ...['ARG', 'CMD', 'COPY', 'ENTRYPOINT', 'ENV', 'EXPOSE', 'FROM', 'HEALTHCHECK', 'LABEL'],
  ...['ONBUILD', 'RUN', 'SHELL', 'STOPSIGNAL', 'USER', 'VOLUME', 'WORKDIR'],
]

const each = (keyword, broken) => (instructions) =>
  instructions.filter((one) => one.keyword === keyword && broken(one))

const ofLastStage = (keyword) => (instructions) => {
  const from = instructions.findLastIndex((one) => one.keyword === 'FROM')
  return instructions.slice(from).filter((one) => one.keyword === keyword)
}

/** Where something is missing, the last FROM is to blame. */
const missing = (keyword) => (instructions) =>
  ofLastStage(keyword)(instructions).length > 0
    ? []
    : [instructions.findLast((one) => one.keyword === 'FROM')]

const imagesOf = (instructions) => stagesOf(instructions).map(({ base, line }) => ({ base, line }))

/**
 * Each finds the lines that break it.
 *
 * @type {Record<string, (all: readonly Instruction[]) => readonly { line: number }[]>}
 */
export const rules = {
  'an instruction that exists': (all) => all.filter((one) => !known.includes(one.keyword)),
  'COPY instead of ADD': (all) => all.filter(({ keyword }) => keyword === 'ADD'),
  'a base image with a version': (all) =>
    imagesOf(all).filter(({ base }) => !/:.*\d|:[a-z]+-slim$|@sha256:/.test(base)),
  'a base image that is small': (all) =>
    imagesOf(all).filter(({ base }) => !/slim|distroless|scratch/.test(base)),
  'an absolute WORKDIR': each('WORKDIR', ({ words }) => !/^[/$]/.test(words[0])),
  'CMD and ENTRYPOINT as JSON, so that signals arrive': (all) =>
    all.filter(({ keyword, json }) => /^(CMD|ENTRYPOINT)$/.test(keyword) && json === undefined),
  'HEALTHCHECK as JSON, so that no shell is needed': each(
    'HEALTHCHECK',
    ({ json }) => json === undefined,
  ),
  'a HEALTHCHECK': missing('HEALTHCHECK'),
  'a USER': missing('USER'),
  'a user by number, and not root': (all) =>
    ofLastStage('USER')(all)
      .slice(-1)
      .filter(({ words }) => !/^[1-9]\d*(:[1-9]\d*)?$/.test(words[0])),
  'an ENTRYPOINT at most once': (all) => ofLastStage('ENTRYPOINT')(all).slice(1),
  'no secret in ARG or ENV, which stay in the image': (all) =>
    all.filter(
      ({ keyword, text }) =>
        /^(ARG|ENV)$/.test(keyword) && /(SECRET|TOKEN|PASSWORD)(?!_FILE)\w*=/i.test(text),
    ),
  'COPY from a stage that comes before': copiesFromNowhere,
  'no sudo and no pipe into a shell': each('RUN', ({ text }) =>
    /\bsudo\b|\|\s*(ba)?sh\b/.test(text),
  ),
  'apt-get with -y, without recommendations, its lists removed': each(
    'RUN',
    ({ text }) =>
      /apt-get install/.test(text) &&
      !(/ -y\b/.test(text) && /--no-install-recommends/.test(text) && /apt\/lists/.test(text)),
  ),
  'npm ci instead of npm install': each('RUN', ({ text }) => /npm (install|i)\b/.test(text)),
  'cd by WORKDIR': each('RUN', ({ text }) => /^cd /.test(text)),
}

function copiesFromNowhere(instructions) {
  const stages = stagesOf(instructions)
  return stages.flatMap(({ steps }, index) => {
    const before = stages.slice(0, index).map(({ name }) => name)
    return steps.filter(
      ({ keyword, flags }) =>
        keyword === 'COPY' && flags.from !== undefined && !before.includes(filled(flags.from, {})),
    )
  })
}

/** @returns {Finding[]} */
export const findingsIn = (instructions) =>
  Object.entries(rules).flatMap(([rule, find]) =>
    find(instructions).map(({ line }) => ({ line, rule })),
  )
