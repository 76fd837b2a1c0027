/** The servers of the measurements that need some. */
import { startPostgres } from '../../test/services/postgres.ts'
import { startRabbitmq } from '../../test/services/rabbitmq.ts'

export interface Servers {
  readonly postgresUrl: string
  readonly rabbitmqUrl: string
}

export async function withServers<T>(use: (servers: Servers) => Promise<T>): Promise<T> {
  const rabbitmq = await startRabbitmq()
  try {
    return await withPostgres((postgresUrl) => use({ postgresUrl, rabbitmqUrl: rabbitmq.url }))
  } finally {
    await rabbitmq.close()
  }
}

export async function withPostgres<T>(use: (postgresUrl: string) => Promise<T>): Promise<T> {
  const postgres = await startPostgres()
  try {
    return await use(postgres.url)
  } finally {
    await postgres.close()
  }
}
