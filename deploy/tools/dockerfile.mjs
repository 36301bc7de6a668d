/** A Dockerfile as its parser reads it, with variables filled in. */
import { DockerfileParser } from 'dockerfile-ast'

/**
 * @typedef {object} Instruction
 * @property {string} keyword   in capitals
 * @property {number} line      from 1
 * @property {string} text      everything after the keyword, continued lines joined
 * @property {readonly string[]} words  its arguments, without flags
 * @property {Readonly<Record<string, string>>} flags  of `--name=value`
 * @property {readonly string[] | undefined} json  the arguments, where they are a JSON array
 *
 * @typedef {{ base: string, name: string | undefined, line: number, steps: Instruction[] }} Stage
 */

/** @returns {Instruction[]} */
export function instructionsOf(text) {
  return DockerfileParser.parse(text)
    .getInstructions()
    .map((each) => {
      const words = each.getArguments().map((argument) => argument.getValue())
      const content = joined(each.getArgumentsContent() ?? '')
      return {
        keyword: each.getKeyword(),
        line: each.getRange().start.line + 1,
        text: content,
        words,
        flags: flagsOf(each),
        json: jsonOf(content),
      }
    })
}

/** A backslash at the end of a line goes on with the next; comments between do not count. */
const joined = (content) =>
  content
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .trim()

const flagsOf = (instruction) =>
  Object.fromEntries(
    (instruction.getFlags?.() ?? []).map((flag) => [flag.getName(), flag.getValue() ?? 'true']),
  )

function jsonOf(content) {
  const at = content.indexOf('[')
  if (at < 0 || !/^(CMD\s+|--\S+\s+)*$/.test(content.slice(0, at))) return undefined
  try {
    return JSON.parse(content.slice(at))
  } catch {
    return undefined
  }
}

/**
 * The stages, each from one FROM to the next.
 *
 * @param {readonly Instruction[]} instructions
 * @returns {Stage[]}
 */
export function stagesOf(instructions) {
  const stages = []
  const defaults = {}
  for (const each of instructions) {
    if (each.keyword === 'FROM') {
      const [base, , name] = each.words
      stages.push({ base: filled(base, defaults), name, line: each.line, steps: [] })
    } else if (stages.length === 0) Object.assign(defaults, pairsOf(each.text))
    else stages.at(-1).steps.push(each)
  }
  return stages
}

/** `A=1 B="two words"`, as in ARG, ENV and LABEL. */
export function pairsOf(text) {
  const found = text.matchAll(/([\w.]+)=("(?:[^"\\]|\\.)*"|\S*)/g)
  return Object.fromEntries(
    [...found].map(([, name, value]) => [name, value.replace(/^"|"$/g, '')]),
  )
}

export const filled = (text, values) =>
  text.replaceAll(/\$\{(\w+)\}|\$(\w+)/g, (_, braced, bare) => values[braced ?? bare] ?? '')
