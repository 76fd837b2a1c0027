/** Measures two candidates in turn, A B A B …, so that a machine whose speed drifts treats both alike, and gives the ratio pair by pair. */
export interface Candidate<Figures = number> {
  readonly name: string
  /** One measurement. Checks its own results and throws when they are wrong. */
  measure(): Promise<Figures>
}

/** What each measurement of the two gave, one per pair. */
export interface Pairs<Subject, Peer> {
  readonly subject: string
  readonly peer: string
  readonly subjectFigures: readonly Subject[]
  readonly peerFigures: readonly Peer[]
}

/** Of one figure, higher is better. */
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
  const same = (value: number): number => value
  return comparisonOf(await measureInTurn(subject, peer, pairs, same, same), same, same)
}

/** The last two choose which figure is told on the way. */
export async function measureInTurn<Subject, Peer>(
  subject: Candidate<Subject>,
  peer: Candidate<Peer>,
  pairs: number,
  ofSubject: (figures: Subject) => number,
  ofPeer: (figures: Peer) => number,
): Promise<Pairs<Subject, Peer>> {
  const subjectFigures: Subject[] = []
  const peerFigures: Peer[] = []
  for (let pair = 0; pair < pairs; pair++) {
    // The order alternates too, so that neither always runs on the warmer machine.
    if (pair % 2 === 0) subjectFigures.push(await subject.measure())
    peerFigures.push(await peer.measure())
    if (pair % 2 === 1) subjectFigures.push(await subject.measure())
    process.stderr.write(
      `  pair ${pair + 1}/${pairs}: ${round(ofSubject(subjectFigures.at(-1)!))} against ${round(ofPeer(peerFigures.at(-1)!))}\n`,
    )
  }
  return { subject: subject.name, peer: peer.name, subjectFigures, peerFigures }
}

/** Compares one of the figures that the candidates were measured for together. */
export function comparisonOf<Subject, Peer>(
  { subject, peer, subjectFigures, peerFigures }: Pairs<Subject, Peer>,
  ofSubject: (figures: Subject) => number,
  ofPeer: (figures: Peer) => number,
): Comparison {
  const subjectValues = subjectFigures.map(ofSubject)
  const peerValues = peerFigures.map(ofPeer)
  const ratios = subjectValues.map((value, index) => value / peerValues[index]!)
  return {
    subject,
    peer,
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
