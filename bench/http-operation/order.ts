/** The operation that both servers answer: an order line is checked, and its total comes back. No database. */
export interface Line {
  readonly sku: string
  readonly quantity: number
  readonly cents: number
}

export interface PlacedOrder {
  readonly id: number
  readonly customer: string
  readonly lines: Line[]
}

export const SAMPLE: PlacedOrder = {
  id: 7,
  customer: 'ann@example.org',
  lines: [
    { sku: 'kettle-1', quantity: 1, cents: 4_900 },
    { sku: 'cup-2', quantity: 6, cents: 700 },
  ],
}

export const SAMPLE_TOTAL_CENTS = 9_100

export function totalOf(lines: readonly Line[]): number {
  return lines.reduce((sum, { quantity, cents }) => sum + quantity * cents, 0)
}
