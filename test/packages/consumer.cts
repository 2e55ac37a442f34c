// The same promises in CommonJS, where a compiler asks the package for its types in another way.
import Fastify = require('fastify')
import fastifyWimse = require('fastify-wimse')
import fastifyWimseClient = require('fastify-wimse-client')

const app = Fastify()
app.register(fastifyWimse.default, { audience: 'https://inventory.example.com', trustDomains: {} })
app.register(fastifyWimse.wimse, { audience: 'https://inventory.example.com', trustDomains: {} })
app.register(fastifyWimseClient.wimseClient, {
  credentials: fastifyWimseClient.staticCredentials({ wit: '…', key: '…' }),
  targets: [],
})
// @ts-expect-error it is null on a route that is not protected
app.get('/', async (request) => request.workload.id)
app.get('/', async (request) => fastifyWimse.workloadOf(request).id)
