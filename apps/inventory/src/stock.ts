/** What is in stock, in memory. */
export interface Stock {
  /** How many are left; null for an item that is not sold here. */
  left(sku: string): number | null
  /** Takes some out. Returns false, and takes none, when there are not as many. */
  take(sku: string, quantity: number): boolean
}

/** Makes a stock of `quantities`, by item. */
export function createStock(quantities: Readonly<Record<string, number>>): Stock {
  const items = new Map(Object.entries(quantities))
  return {
    left: (sku) => items.get(sku) ?? null,
    take(sku, quantity) {
      const left = items.get(sku) ?? 0
      if (left < quantity) return false
      items.set(sku, left - quantity)
      return true
    },
  }
}
