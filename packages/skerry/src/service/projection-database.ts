/**
 * The tables of a read model in one of its generations, under their plain names. A statement that names one in text of its
 * own would miss the generation and hit what answers, so it is refused.
 */
import type { Kysely, KyselyPlugin, PluginTransformQueryArgs, RawNode, RootOperationNode, SchemableIdentifierNode } from 'kysely'
import { OperationNodeTransformer } from 'kysely'
import { SkerryError } from '../base/errors.ts'
import type { Projection } from '../event-store/projection.ts'
import { tableOfGeneration } from '../event-store/projection.ts'

export function databaseOfGeneration(db: Kysely<unknown>, projection: Projection, generation: number): Kysely<unknown> {
  const transformer = new TablesOfGeneration(projection, generation)
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }: PluginTransformQueryArgs): RootOperationNode => transformer.transformNode(node),
    transformResult: async ({ result }) => result,
  }
  return db.withPlugin(plugin)
}

class TablesOfGeneration extends OperationNodeTransformer {
  readonly #projection: Projection
  readonly #generation: number
  readonly #named: RegExp

  constructor(projection: Projection, generation: number) {
    super()
    this.#projection = projection
    this.#generation = generation
    this.#named = new RegExp(String.raw`\b(${Object.keys(projection.tables).join('|')})\b`, 'i')
  }

  protected override transformSchemableIdentifier(node: SchemableIdentifierNode): SchemableIdentifierNode {
    const transformed = super.transformSchemableIdentifier(node)
    const { name } = transformed.identifier
    if (transformed.schema !== undefined || !Object.hasOwn(this.#projection.tables, name)) return transformed
    return { ...transformed, identifier: { ...transformed.identifier, name: tableOfGeneration(name, this.#generation) } }
  }

  protected override transformRaw(node: RawNode): RawNode {
    const named = node.sqlFragments.map((fragment) => this.#named.exec(fragment)?.[1]).find((name) => name !== undefined)
    if (named !== undefined)
      throw new SkerryError(
        'projectionInvalid',
        `The projection "${this.#projection.name}" names its table in raw SQL: write \${sql.table('${named}')}, which leads to the one being built`,
      )
    return super.transformRaw(node)
  }
}
