/** Ids are integers or UUIDs, and text in the database. */
export function fromText(id: string): number | string {
  return /^-?\d+$/.test(id) ? Number(id) : id
}
