/** Measures two candidates in turn, A B A B …, so that a machine whose speed drifts treats both alike, and gives the ratio pair by pair. */
export interface Candidate {
  readonly name: string
  /** One measurement, higher is better. Checks its own results and throws when they are wrong. */
  measure(): Promise<number>
}

export interface Comparison {
  readonly subject: string
  readonly peer: string
  readonly subjectMedian: number
  readonly peerMedian: number
  /** Subject divided by peer, one per pair. */
  readonly ratios: readonly number[]
  readonly median: number
  readonly min: number
  readonly max: number
}

export async function compare(subject: Candidate, peer: Candidate, pairs: number): Promise<Comparison> {
  const subjectValues: number[] = []
  const peerValues: number[] = []
  for (let pair = 0; pair < pairs; pair++) {
    // The order alternates too, so that neither always runs on the warmer machine.
    const order = pair % 2 === 0 ? [subject, peer] : [peer, subject]
    for (const candidate of order) (candidate === subject ? subjectValues : peerValues).push(await candidate.measure())
    process.stderr.write(`  pair ${pair + 1}/${pairs}: ${round(subjectValues.at(-1)!)} against ${round(peerValues.at(-1)!)}\n`)
  }
  const ratios = subjectValues.map((value, index) => value / peerValues[index]!)
  return {
    subject: subject.name,
    peer: peer.name,
    subjectMedian: medianOf(subjectValues),
    peerMedian: medianOf(peerValues),
    ratios,
    median: medianOf(ratios),
    min: Math.min(...ratios),
    max: Math.max(...ratios),
  }
}

export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function round(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3)
}
