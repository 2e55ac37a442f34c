/** What an element can be given: attributes by name; `onclick` is a listener. */
type Attributes = Readonly<Record<string, string | boolean | (() => void)>>

/** Makes an element. Text goes in as text, never as markup. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: readonly (Node | string | null)[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(attribute.replace(/^on/, ''), value)
    else if (value === true) made.setAttribute(attribute, '')
    else if (value !== false) made.setAttribute(attribute, value)
  }
  made.append(...children.filter((child) => child !== null))
  return made
}

/** Shows what a button has brought about, where the one stands below the other. */
export function bringIntoView(result: HTMLElement): void {
  if (isNarrow()) result.scrollIntoView({ block: 'start' })
}

/** Whether things stand below each other, as the style sheet has it. */
export function isNarrow(): boolean {
  return matchMedia('(max-width: 60rem)').matches
}

/** Finds an element of the page by its id. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no #${id}`)
  return found
}

/** Finds a form of the page. */
export function formById(id: string): HTMLFormElement {
  const found = byId(id)
  if (found instanceof HTMLFormElement) return found
  throw new Error(`#${id} is no form`)
}

/** Finds a field to fill in. */
export function fieldById(id: string): HTMLInputElement | HTMLTextAreaElement {
  const found = byId(id)
  if (found instanceof HTMLInputElement || found instanceof HTMLTextAreaElement) return found
  throw new Error(`#${id} is no field`)
}

/** Whether a box is ticked. */
export function isTicked(id: string): boolean {
  const found = byId(id)
  return found instanceof HTMLInputElement && found.checked
}
