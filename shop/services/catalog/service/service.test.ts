import { testSystem } from 'skerry/testing'
import { expect, test } from 'vitest'
import service from './service.ts'

const kettle = {
  sku: 'kettle',
  name: 'Kettle',
  category: 'kitchen',
  description: 'Boils a litre in three minutes and tells nobody.',
  price: { minor_units: 3499, currency: 'EUR' },
}

test('a product is found by its sku', async () => {
  await using app = await testSystem({ services: [service] })
  expect(await app.call.catalog.getProduct({ sku: 'kettle' })).toStrictEqual(kettle)
  expect(await app.call.catalog.getProduct.try({ sku: 'kettles' })).toMatchObject({
    ok: false,
    error: { code: 'productNotFound', status: 404 },
  })
})

test('there are products on the first day, and pages show each of them once', async () => {
  await using app = await testSystem({ services: [service] })
  const all = await app.call.catalog.listProducts({})
  expect(all.length).toBeGreaterThanOrEqual(12)
  expect(all).toContainEqual(kettle)
  const paged: typeof all = []
  for (let page = await app.call.catalog.listProducts({ limit: 5 }); page.length > 0;) {
    paged.push(...page)
    page = await app.call.catalog.listProducts({ limit: 5, after: page.at(-1)!.sku })
  }
  expect(paged).toStrictEqual(all)
})

test('a category has its products alone', async () => {
  await using app = await testSystem({ services: [service] })
  const kitchen = await app.call.catalog.listProducts({ category: 'kitchen' })
  expect(kitchen.map(({ sku }) => sku)).toEqual(['kettle', 'mug', 'teapot'])
  expect(await app.call.catalog.listProducts({ category: 'weapons' })).toEqual([])
})

test('prices leave out what does not exist', async () => {
  await using app = await testSystem({ services: [service] })
  expect(await app.call.catalog.getPrices({ skus: ['kettle', 'unicorn', 'kettle'] })).toStrictEqual([
    { sku: 'kettle', name: 'Kettle', price: { minor_units: 3499, currency: 'EUR' } },
  ])
})
