import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'

// For the health checks of containers, which have neither curl nor wget: ends with 0 when a URL answers 200.
const [url = ''] = process.argv.slice(2)
const request = url.startsWith('https:') ? httpsRequest : httpRequest
// Whether it answers, not who: a container asks itself, by an address that is in no certificate.
const asked = request(url, { timeout: 2000, rejectUnauthorized: false }, ({ statusCode }) => {
  process.exit(statusCode === 200 ? 0 : 1)
})
asked.on('timeout', () => process.exit(1)).on('error', () => process.exit(1))
asked.end()
