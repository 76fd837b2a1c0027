/**
 * A host that lives again and again on the same data, each life until it passes the next of the crash points. The next life is armed before
 * it begins, so that what recovers from one death may die of the next. One start for each point is all that it costs.
 */
import { waitUntil } from '../services/wait-until.ts'
import type { LaunchedHost } from './host.ts'

export interface DeathOptions<Point extends string> {
  readonly host: string
  readonly points: readonly Point[]
  /** At which pass it dies. */
  readonly passes: (point: Point) => number
  readonly launch: (env: Readonly<Record<string, string>>) => Promise<LaunchedHost>
  /** Its last life, in which it dies of nothing. */
  readonly restart: () => Promise<AsyncDisposable>
  /** How long a life may last. */
  readonly lifeMs: number
  /** The first life begins when this is settled. Default: at once. */
  readonly after?: Promise<unknown>
}

export interface Deaths<Point extends string> extends AsyncDisposable {
  /** Resolves when it has been killed there. Rejects when it has not, or has come to another end before. */
  at(point: Point): Promise<void>
  /** Resolves when it has been killed everywhere, and is ready again. */
  readonly all: Promise<void>
}

export function dieAtEach<Point extends string>({
  host,
  points,
  passes,
  launch,
  restart,
  lifeMs,
  after,
}: DeathOptions<Point>): Deaths<Point> {
  const deaths = new Map<Point, Promise<void>>()
  const survivor = new AsyncDisposableStack()
  let all: Promise<void> = Promise.resolve(after).then(() => undefined)
  for (const point of points) {
    all = all.then(async () => dieOnce(await launch({ SKERRY_CRASH_AT: `${point}:${passes(point)}` }), `${host} passes ${point}`, lifeMs))
    // Told to whoever asks for this point or a later one.
    all.catch(() => {})
    deaths.set(point, all)
  }
  all = all.then(async () => void survivor.use(await restart()))
  all.catch(() => {})
  return {
    at: (point) => deaths.get(point) ?? Promise.reject(new Error(`${host} was not to die at ${point}`)),
    all,
    [Symbol.asyncDispose]: () => survivor.disposeAsync(),
  }
}

/** Resolves when the armed host has been killed by its crash point. `meanwhile` is done again and again until then. */
export async function dieOnce(
  life: LaunchedHost,
  awaited: string,
  lifeMs: number,
  meanwhile: () => Promise<void> = async () => {},
): Promise<void> {
  await using _ = life
  let signal: string | null | undefined
  void life.exited.then((exit) => (signal = exit.signal))
  const log = async (): Promise<string> => `The end of its log:\n${(await life.output()).slice(-2_000)}`
  await waitUntil(
    awaited,
    lifeMs,
    async () => {
      await meanwhile()
      return signal
    },
    log,
  )
  if (signal !== 'SIGKILL') throw new Error(`Before ${awaited}, it ended by itself. ${await log()}`)
}
