import { expect, it } from 'vitest'
import { productsIn } from './user-agent.ts'

it.each([
  ['orders/1.1.0 skerry/0.1.0', 'orders/1.1.0 skerry/0.1.0'],
  ['curl/8.5.0', 'curl/8.5.0'],
  ['node', 'node'],
  ['Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0', 'Mozilla/5.0 AppleWebKit/537.36'],
  ['Mozilla/5.0 (compatible; bot (of; (many) parts); +https://bots.example) Bot/2', 'Mozilla/5.0 Bot/2'],
  ['App/1 (a \\) b) Kit/2', 'App/1 Kit/2'],
  ['App/1(note)Kit/2', 'App/1 Kit/2'],
  ['shop of ann@example.com App/1', 'shop App/1'],
  ['ann@example.com', undefined],
  ['App/1 token=secret, 203.0.113.9', 'App/1'],
  ['(only a comment)', undefined],
  ['App/1 (never ends Kit/2', 'App/1'],
  ['App/1/2 Kit/2', 'Kit/2'],
  ['\u001b[31mApp/1 Kit\u0007/2 \u00c4pp/1', undefined],
  ['', undefined],
  [`${'x'.repeat(200)}/1 Kit/2`, `${'x'.repeat(80)} Kit/2`],
  [`${'( '.repeat(100_000)}App/1`, undefined],
])('of %j it keeps the products', (userAgent, products) => {
  expect(productsIn(userAgent)).toBe(products)
})
