/** What is sent and comes back. */
export const ITEM: { id: number; name: string; tags: string[] } = { id: 1, name: 'kettle', tags: ['kitchen', 'steel'] }
export const WARM_UP_CALLS = 50_000
export const CALLS = 300_000
