/** How much is lost when a request is refused because there is too much to do: bulk goes first, what is critical last. */
export type Priority = 'critical' | 'normal' | 'bulk'

/** The most important first. */
export const PRIORITIES = ['critical', 'normal', 'bulk'] as const satisfies readonly Priority[]
