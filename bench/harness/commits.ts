/** Tells what was done in transactions of one service when they are committed: from outside, so that it needs nothing of the platform. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Database, DatabaseEngine } from 'skerry/engine'

export class Commits {
  readonly #service: string
  readonly #tell: (numbers: readonly number[]) => void
  readonly #open = new AsyncLocalStorage<number[]>()
  #database: Database | undefined

  constructor(service: string, tell: (numbers: readonly number[]) => void) {
    this.#service = service
    this.#tell = tell
  }

  /** The service's database, once it is open. */
  get database(): Database {
    return this.#database!
  }

  /** To be called inside the transaction that does what has this number. */
  note(number: number): void {
    this.#open.getStore()!.push(number)
  }

  /** The engine to give to the host. */
  observed(engine: DatabaseEngine): DatabaseEngine {
    return {
      description: engine.description,
      exclusive: engine.exclusive ?? false,
      open: async (options) => {
        const database = await engine.open(options)
        return options.service === this.#service ? this.#observe(database) : database
      },
      close: () => engine.close(),
    }
  }

  #observe(database: Database): Database {
    this.#database = database
    const transaction = database.transaction.bind(database)
    return Object.assign(database, {
      transaction: async <T>(...[isolation, work]: Parameters<typeof transaction<T>>): Promise<T> => {
        const numbers: number[] = []
        const result = await this.#open.run(numbers, () => transaction(isolation, work))
        if (numbers.length > 0) this.#tell(numbers)
        return result
      },
    })
  }
}
