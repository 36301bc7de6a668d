/** The form of the request lab, and the header it stands for. */
export interface ConsistencyChoice {
  readonly level: 'default' | 'one' | 'quorum' | 'all'
  readonly r: number | undefined
  readonly w: number | undefined
  readonly durable: number | undefined
  readonly strict: boolean
}

export const defaultChoice: ConsistencyChoice = {
  level: 'default',
  r: undefined,
  w: undefined,
  durable: undefined,
  strict: false,
}

/** Empty: no header, the bucket decides. Parameters need a level to stand on. */
export function consistencyHeader(choice: ConsistencyChoice): string {
  const { level, r, w, durable, strict } = choice
  const parameters = [
    ...(strict ? ['strict'] : []),
    ...(r === undefined ? [] : [`r=${r}`]),
    ...(w === undefined ? [] : [`w=${w}`]),
    ...(durable === undefined ? [] : [`durable=${durable}`]),
  ]
  if (level === 'default' && parameters.length === 0) return ''
  return [level === 'default' ? 'quorum' : level, ...parameters].join(';')
}
