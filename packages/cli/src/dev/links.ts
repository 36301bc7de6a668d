/** What lies between the nodes of a local cluster: a link for each two of them, whole or cut. */
import { Cable } from './cable.ts'

export interface Link {
  /** The two nodes, in the order of the cluster. */
  readonly nodes: readonly [string, string]
  readonly condition: 'whole' | 'cut'
}

interface Laid extends Link {
  /** From the first node to the second, and back: either may dial. */
  readonly cables: readonly [Cable, Cable]
  condition: 'whole' | 'cut'
}

export interface End {
  readonly id: string
  readonly port: number
}

export class Links {
  readonly #laid: readonly Laid[]

  private constructor(laid: readonly Laid[]) {
    this.#laid = laid
  }

  /** Cost: two listening sockets for each two nodes, 240 in the largest cluster. */
  static async lay(ends: readonly End[]): Promise<Links> {
    const pairs = ends.flatMap((first, index) =>
      ends.slice(index + 1).map((second) => [first, second] as const),
    )
    const laid = pairs.map(async ([first, second]): Promise<Laid> => {
      const cables = await Promise.all([Cable.open(second.port), Cable.open(first.port)])
      return { nodes: [first.id, second.id], cables, condition: 'whole' }
    })
    return new Links(await Promise.all(laid))
  }

  get all(): readonly Link[] {
    return this.#laid
  }

  /** In either order; undefined when there is no such link. */
  find(one: string, other: string): Link | undefined {
    return this.#laid.find(
      ({ nodes }) => one !== other && nodes.every((id) => [one, other].includes(id)),
    )
  }

  /** Where one node dials to reach the other. */
  urlBetween(from: string, to: string): string | undefined {
    const link = this.#of(this.find(from, to))
    return link?.cables[link.nodes[0] === from ? 0 : 1].url
  }

  cut(link: Link): void {
    const laid = this.#of(link)
    if (laid === undefined) return
    laid.condition = 'cut'
    for (const cable of laid.cables) cable.cut()
  }

  heal(link: Link): void {
    const laid = this.#of(link)
    if (laid === undefined) return
    laid.condition = 'whole'
    for (const cable of laid.cables) cable.mend()
  }

  close(): void {
    for (const { cables } of this.#laid) for (const cable of cables) cable.close()
  }

  #of(link: Link | undefined): Laid | undefined {
    return this.#laid.find((laid) => laid === link)
  }
}
