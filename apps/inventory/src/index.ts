/**
 * The called workload of the demo: knows what is in stock, and who is asking.
 *
 * @module
 */
export { createInventory, type InventoryOptions } from './inventory.js'
