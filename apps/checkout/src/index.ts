/**
 * The calling workload of the demo: takes orders, and proves to the inventory who it is.
 *
 * @module
 */
export { type CheckoutOptions, createCheckout } from './checkout.js'
