import { startBoard } from './board.js'
import { byId } from './element.js'
import { startInspector } from './inspector.js'
import { startTryIt } from './try-it.js'

const SCREENS = ['inspector', 'board', 'try'] as const

function current(): (typeof SCREENS)[number] {
  return SCREENS.find((screen) => location.hash === `#${screen}`) ?? 'inspector'
}

const lookAtBoard = startBoard(() => current() === 'board')
startInspector()
void startTryIt()

function show(): void {
  for (const screen of SCREENS) {
    byId(`screen-${screen}`).hidden = screen !== current()
    const link = document.querySelector(`nav a[href="#${screen}"]`)!
    if (screen === current()) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  const title = byId(`title-${current()}`)
  document.title = `${title.textContent} · WIMSE console`
  lookAtBoard()
}

// Not by its address, which says which screen is shown.
document.querySelector('.skip')!.addEventListener('click', (event) => {
  event.preventDefault()
  byId('main').focus()
})

addEventListener('hashchange', () => {
  show()
  byId(`title-${current()}`).focus()
})
show()
