/** The model holds to the suite that it is the oracle of. */
import type { Encoding } from '../../store/types/encoding.ts'
import { Model } from '../model/model.ts'
import { openModelStore } from '../model/model-store.ts'
import { EVERYTHING } from './backend.ts'
import type { Backend, Opened, ReopenOptions, StoreOf } from './backend.ts'
import { behaviourSuite } from './suite.ts'

const backend: Backend = {
  name: 'model',
  writesGolden: true,
  supports: EVERYTHING,
  async open<E extends Encoding>(encoding: E): Promise<Opened<E>> {
    const model = new Model()
    let store = openModelStore(model, { encoding })
    return {
      store,
      async reopen(options: ReopenOptions = {}): Promise<StoreOf<E>> {
        await store.close()
        store = openModelStore(model, { encoding, ...options })
        return store
      },
      async close(): Promise<void> {
        await store.close()
      },
    }
  },
}

behaviourSuite(backend)
