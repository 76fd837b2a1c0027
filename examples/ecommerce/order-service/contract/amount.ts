/** Money as the seed's clients write it: a JSON number such as 20 or 19.99, of which nothing may be lost. */
import { z } from 'zod'

/** Up to here every amount with two decimals is told apart from its neighbours in a JSON number. */
const MAX_AMOUNT = 1_000_000_000_000

export const Amount = z
  .number()
  .min(0)
  .max(MAX_AMOUNT)
  .refine((amount) => Math.round(amount * 100) / 100 === amount, 'expected at most two decimals')
  .meta({ description: 'At most two decimals' })
