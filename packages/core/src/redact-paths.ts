const FIELDS = [
  '.authorization',
  '["workload-identity-token"]',
  '["workload-proof-token"]',
  '["txn-token"]',
] as const

/**
 * Paths for pino's `redact` option: the header fields that carry tokens, wherever requests are usually
 * logged. Fastify's own request log line has no headers; these are for serializers and lines of one's own.
 * And `err.rawPacket`: at level `trace` Fastify logs all of a request that Node could not read, as numbers.
 */
export const redactPaths: string[] = [
  ...['', 'req.', 'request.', 'req.raw.', 'request.raw.', 'res.request.'].flatMap((prefix) => [
    ...FIELDS.map((field) => `${prefix}headers${field}`),
    `${prefix}rawHeaders`,
  ]),
  'err.rawPacket',
]
