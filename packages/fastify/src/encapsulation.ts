import type { FastifyInstance } from 'fastify'

/**
 * Finds the encapsulated scopes that exist already. Hooks reach only scopes made after them, so a plugin
 * of routes registered before this one would be left open.
 *
 * @throws Error when this version of Fastify does not tell, rather than leave a scope open
 */
export function existingScopes(instance: FastifyInstance): readonly FastifyInstance[] {
  const symbol = Object.getOwnPropertySymbols(instance).find(
    ({ description }) => description === 'fastify.children',
  )
  const children: unknown = symbol === undefined ? undefined : Reflect.get(instance, symbol)
  if (!Array.isArray(children)) throw new Error('fastify-wimse: this version of Fastify is not supported')
  return (children as FastifyInstance[]).flatMap((child) => [child, ...existingScopes(child)])
}
