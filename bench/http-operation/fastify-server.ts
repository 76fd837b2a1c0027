/** The same operation on bare Fastify 5, with its own JSON Schema validation and serialisation. No log, no trace, no deadline. */
import { fastify } from 'fastify'
import type { PlacedOrder } from './order.ts'
import { totalOf } from './order.ts'

const app = fastify()
app.post<{ Body: PlacedOrder }>(
  '/orders',
  {
    schema: {
      body: {
        type: 'object',
        required: ['id', 'customer', 'lines'],
        additionalProperties: false,
        properties: {
          id: { type: 'integer' },
          customer: { type: 'string', minLength: 1, maxLength: 100 },
          lines: {
            type: 'array',
            maxItems: 100,
            items: {
              type: 'object',
              required: ['sku', 'quantity', 'cents'],
              additionalProperties: false,
              properties: {
                sku: { type: 'string', minLength: 1, maxLength: 40 },
                quantity: { type: 'integer', minimum: 1 },
                cents: { type: 'integer', minimum: 0 },
              },
            },
          },
        },
      },
      response: {
        200: {
          type: 'object',
          required: ['id', 'status', 'totalCents'],
          properties: { id: { type: 'integer' }, status: { type: 'string' }, totalCents: { type: 'integer' } },
        },
      },
    },
  },
  async ({ body }) => ({ id: body.id, status: 'created', totalCents: totalOf(body.lines) }),
)
const url = await app.listen({ port: 0, host: '127.0.0.1' })
process.stdout.write(`${JSON.stringify({ url })}\n`)
process.once('SIGTERM', () => void app.close().then(() => process.exit(0)))
