/** Keys and values as etcd's JSON gateway carries them: base64 of their bytes. */

export function encoded(text: string): string {
  return Buffer.from(text).toString('base64')
}

export function decoded(text: string): string {
  return Buffer.from(text, 'base64').toString('utf8')
}

/** All keys that begin so: from it to the first that does not, which has a last byte greater by one. */
export function prefixRange(prefix: string): { readonly key: string; readonly range_end: string } {
  const end = Buffer.from(prefix)
  end[end.length - 1]! += 1
  return { key: encoded(prefix), range_end: end.toString('base64') }
}
