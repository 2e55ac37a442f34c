import { describe } from 'vitest'
import { memoryReplayStore } from 'wimse'
import { fixedClock } from 'wimse-testkit'
import { promisesOfReplayStores } from '../replay/contract.js'

describe('memoryReplayStore() keeps what every replay store promises', () => {
  const clock = fixedClock(1_760_000_000.4)
  const store = memoryReplayStore({ now: clock })
  promisesOfReplayStores(() => ({
    store,
    other: store,
    wait: (seconds) => clock.advance(seconds),
    roundsUpBy: 2,
  }))
})
