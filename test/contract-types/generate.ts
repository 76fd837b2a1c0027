/**
 * Writes a system of as many services as asked for, as a team would: each service has a contract of 25 operations and
 * two events, implements all of them, and calls five others. For the test of what type-checking such a system costs.
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../repo/files.ts'

export const OPERATIONS_PER_SERVICE = 25
const USES_PER_SERVICE = 5

/** Writes the system and its tsconfig.json into an empty folder. */
export function writeSystem(folder: string, serviceCount: number): void {
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  symlinkSync(join(root, 'packages', 'skerry'), join(folder, 'node_modules', 'skerry'))
  symlinkSync(join(root, 'packages', 'skerry', 'node_modules', 'zod'), join(folder, 'node_modules', 'zod'))
  const numbers = Array.from({ length: serviceCount }, (_, number) => number)
  for (const number of numbers) {
    mkdirSync(join(folder, `service${number}`))
    writeFileSync(join(folder, `service${number}`, 'contract.ts'), contractModule(number))
    writeFileSync(join(folder, `service${number}`, 'service.ts'), serviceModule(number, serviceCount))
  }
  writeFileSync(join(folder, 'system.ts'), systemModule(numbers))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module', private: true }))
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: join(root, 'tsconfig.base.json'),
      compilerOptions: {
        noEmit: true,
        allowImportingTsExtensions: true,
        rewriteRelativeImportExtensions: false,
        // An application is run, not imported: nobody reads its declarations, and the one of the system would hold every contract.
        declaration: false,
        declarationMap: false,
        typeRoots: [join(root, 'node_modules', '@types')],
      },
      include: ['**/*.ts'],
    }),
  )
}

const operationNumbers = Array.from({ length: OPERATIONS_PER_SERVICE }, (_, number) => number)

function contractModule(service: number): string {
  const name = `contract${service}`
  return `import { contract, event, get, post, problem, put } from 'skerry'
import { z } from 'zod'

const Id = z.uuid()
const Item = z.object({ id: Id, name: z.string().min(1), cents: z.int(), tags: z.array(z.string()).default([]), state: z.enum(['new', 'old']) })
const notFound${service} = problem(404, 'Not found', z.object({ id: Id }))

export const ${name} = contract('service-${service}', {
  version: '1.0.0',
  owner: 'team ${service}',
  operations: {
${operationNumbers.map((operation) => `    ${operationDeclaration(service, operation)},`).join('\n')}
  },
  events: {
    itemChanged: event(Item, { key: 'id' }),
    itemRemoved: event(z.object({ itemId: Id, reason${service}: z.string().optional() }), { key: 'itemId' }),
  },
})
`
}

/** Reading, listing, creating and changing by turns, each with fields of its own. */
function operationDeclaration(service: number, operation: number): string {
  const own = `field${service}x${operation}`
  const errors = `errors: { itemNotFound: notFound${service}, tooMany${operation}: problem(409, 'Too many') }`
  switch (operation % 4) {
    case 0:
      return `read${operation}: get('/items${operation}/{id}', { input: z.object({ id: Id, ${own}: z.string().optional() }), output: Item, ${errors} })`
    case 1:
      return `list${operation}: get('/items${operation}', { input: z.object({ page: z.int().default(1), ${own}: z.array(z.string()) }), output: z.object({ items: z.array(Item), ${own}: z.int() }), public: true })`
    case 2:
      return `create${operation}: post('/items${operation}', { input: Item.omit({ id: true }).extend({ ${own}: z.boolean() }), output: Item, ${errors}, idempotent: true })`
    default:
      return `change${operation}: put('/items${operation}/{id}', { input: Item.partial().extend({ id: Id, ${own}: z.int() }), ${errors}, scopes: ['items:write'] })`
  }
}

function serviceModule(service: number, serviceCount: number): string {
  const used = Array.from({ length: USES_PER_SERVICE }, (_, step) => (service + 1 + step * 7) % serviceCount)
  return `import { service } from 'skerry'
import { contract${service} } from './contract.ts'
${used.map((number) => `import { contract${number} } from '../service${number}/contract.ts'`).join('\n')}

const definition = service(contract${service}, { uses: { ${used.map((number) => `contract${number}`).join(', ')} } })

export const service${service} = definition.implement(
  {
${operationNumbers.map((operation) => handler(service, operation, used[operation % USES_PER_SERVICE]!)).join('\n')}
  },
  { on: [definition.on(contract${used[0]!}.events.itemChanged, async ({ event, emit }) => emit.itemRemoved({ itemId: event.id }))] },
)
`
}

function handler(service: number, operation: number, other: number): string {
  const own = `field${service}x${operation}`
  switch (operation % 4) {
    case 0:
      return `    async read${operation}({ input, call, fail }) {
      const found = await call.contract${other}.read0.try({ id: input.id })
      if (found.ok) return { ...found.value, name: input.${own} ?? found.value.name }
      if (found.error.code === 'itemNotFound') throw fail.itemNotFound({ id: found.error.data.id })
      throw fail.tooMany${operation}()
    },`
    case 1:
      return `    async list${operation}({ input, call }) {
      const { items } = await call.contract${other}.list1({ page: input.page, field${other}x1: input.${own} })
      return { items, ${own}: items.length }
    },`
    case 2:
      return `    async create${operation}({ input, transaction, id }) {
      const { ${own}, ...item } = input
      return transaction(async ({ emit }) => {
        emit.itemChanged({ ...item, id: id(), state: ${own} ? 'new' : 'old' })
        return { ...item, id: id() }
      })
    },`
    default:
      return `    async change${operation}({ input, call, fail }) {
      if (input.${own} > 5) throw fail.itemNotFound({ id: input.id })
      await call.contract${other}.change3({ id: input.id, field${other}x3: input.${own} }, { deadline: '1s' })
    },`
  }
}

function systemModule(numbers: readonly number[]): string {
  return `import { gateway, system } from 'skerry'
${numbers.map((number) => `import { service${number} } from './service${number}/service.ts'`).join('\n')}

export const large = system('large', { services: [${numbers.map((number) => `service${number}`).join(', ')}], gateway: gateway() })
`
}
