/**
 * Ports for services that must come back on the same port after a crash. They are taken from below the range that the
 * system hands out for outgoing connections and `listen(0)`, so nobody is given one while its service is down.
 */
import { createServer } from 'node:net'

const firstPort = 20_000
const portCount = 5_000
const attempts = 200

const given = new Set<number>()

/** A TCP port on 127.0.0.1 that nobody listens on, and that this process has not been given before. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const port = firstPort + Math.floor(Math.random() * portCount)
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    return port
  }
  throw new Error(`No free port found between ${firstPort} and ${firstPort + portCount - 1}: is something left running?`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}
