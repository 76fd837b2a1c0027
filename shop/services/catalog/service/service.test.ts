import { catalog } from '@shop/catalog-contract'
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

test('a price that changes has a new version, and is told; the same price again is no news', async () => {
  await using app = await testSystem({ services: [service] })
  const { changePrice, getOffers, getPrices } = app.call.catalog
  const price = { minor_units: 2_999, currency: 'EUR' as const }
  expect(await getOffers({ skus: ['kettle', 'unicorn'] })).toStrictEqual([
    { sku: 'kettle', name: 'Kettle', price: kettle.price, version: 1, discontinued: false },
  ])
  const changed = { sku: 'kettle', name: 'Kettle', price, version: 2, discontinued: false }
  for (let repetition = 0; repetition < 2; repetition++) expect(await changePrice({ sku: 'kettle', price })).toStrictEqual(changed)
  expect(await getPrices({ skus: ['kettle'] })).toStrictEqual([{ sku: 'kettle', name: 'Kettle', price }])
  expect(await changePrice.try({ sku: 'unicorn', price })).toMatchObject({ ok: false, error: { code: 'productNotFound', status: 404 } })
  await app.settled()
  expect(app.published(catalog.events.productPriceChanged)).toStrictEqual([changed])
})

test('what is discontinued is not listed and has no price to be sold at', async () => {
  await using app = await testSystem({ services: [service] })
  const { discontinueProduct, listProducts, getPrices, getOffers } = app.call.catalog
  for (let repetition = 0; repetition < 2; repetition++)
    expect(await discontinueProduct({ sku: 'kettle' })).toMatchObject({ discontinued: true })
  expect((await listProducts({ category: 'kitchen' })).map(({ sku }) => sku)).toEqual(['mug', 'teapot'])
  expect(await getPrices({ skus: ['kettle'] })).toEqual([])
  expect(await getOffers({ skus: ['kettle'] })).toMatchObject([{ discontinued: true }])
  expect(await discontinueProduct.try({ sku: 'unicorn' })).toMatchObject({ ok: false, error: { code: 'productNotFound' } })
  await app.settled()
  expect(app.published(catalog.events.productDiscontinued)).toMatchObject([{ sku: 'kettle' }])
})
