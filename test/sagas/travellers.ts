/** People who book trips over HTTP and never give up, and what must be true of each trip in the end. */
import { waitUntil } from '../services/wait-until.ts'

/** Where the three services answer. */
export interface Addresses {
  readonly trips: string
  readonly flights: string
  readonly hotels: string
}

const KINDS = ['plain', 'full', 'plain', 'slow']
const ATTEMPT_MS = 8_000
const SETTLE_MS = 90_000

export class Travellers {
  readonly #booked = new Set<string>()
  #next = 1

  get booked(): number {
    return this.#booked.size
  }

  /** Books trips, several at a time, until `ended` resolves. */
  async run(at: Addresses, ended: Promise<unknown>): Promise<void> {
    let going = true
    void ended.then(() => (going = false))
    await this.#book(at, () => going)
  }

  async book(at: Addresses, count: number): Promise<void> {
    const end = this.#next + count
    await this.#book(at, () => this.#next < end)
  }

  /** Waits until every trip is what it must be, each effect once. Rejects with what was seen instead. */
  async verify(at: Addresses): Promise<void> {
    let difference = ''
    await waitUntil(
      'every trip is confirmed, or undone',
      SETTLE_MS,
      async () => {
        difference = await this.#difference(at)
        return difference === '' ? true : undefined
      },
      async () => difference,
    )
  }

  async #book(at: Addresses, goesOn: () => boolean): Promise<void> {
    const lane = async (): Promise<void> => {
      while (goesOn()) {
        const number = this.#next++
        const trip = `${KINDS[number % KINDS.length]!}-${number}`
        while (!(await this.#post(at, trip)) && goesOn()) await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
    await Promise.all([lane(), lane(), lane()])
  }

  async #post(at: Addresses, trip: string): Promise<boolean> {
    try {
      const response = await fetch(`${at.trips}/trips`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ trip }),
        signal: AbortSignal.timeout(ATTEMPT_MS),
      })
      if (response.ok) this.#booked.add(trip)
      return response.ok
    } catch {
      // No answer is like a bad one.
      return false
    }
  }

  async #difference(at: Addresses): Promise<string> {
    const read = async <T>(url: string): Promise<T> => (await (await fetch(url)).json()) as T
    const trips = new Map((await read<{ trip: string; state: string }[]>(`${at.trips}/trips`)).map(({ trip, state }) => [trip, state]))
    const sagas = await read<{ status: string; count: number }[]>(`${at.trips}/sagas`)
    const flights = await effectsAt(at.flights)
    const hotels = await effectsAt(at.hotels)
    const wrong: string[] = []
    for (const trip of new Set([...this.#booked, ...trips.keys(), ...flights.keys(), ...hotels.keys()])) {
      const full = trip.startsWith('full')
      const expected = full ? 'cancelled: done undone / ' : 'confirmed: done / done'
      const seen = `${trips.get(trip) ?? 'nothing'}: ${(flights.get(trip) ?? []).join(' ')} / ${(hotels.get(trip) ?? []).join(' ')}`
      if (seen !== expected) wrong.push(`${trip} is ${seen}, not ${expected}`)
    }
    for (const { status, count } of sagas)
      if (status !== 'completed' && status !== 'compensated') wrong.push(`${count} sagas are ${status}`)
    return wrong.length > 8 ? `${wrong.slice(0, 8).join('; ')}; and ${wrong.length - 8} more` : wrong.join('; ')
  }
}

async function effectsAt(url: string): Promise<Map<string, string[]>> {
  const effects = new Map<string, string[]>()
  for (const { trip, effect } of (await (await fetch(`${url}/effects`)).json()) as { trip: string; effect: string }[])
    effects.set(trip, [...(effects.get(trip) ?? []), effect])
  return effects
}
