/** What each owner holds, in the order in which it came: who holds the most gives something up first, and nobody for others. */
export interface OwnerShares {
  add(owner: string | undefined, key: string, weight: number): void
  delete(owner: string | undefined, key: string): void
  /** How much an owner holds, and what of it came first. */
  of(owner: string | undefined): { readonly weight: number; readonly oldest: string | undefined }
  /** What came first of those of the owner who holds the most; undefined when nobody holds anything. */
  readonly next: string | undefined
}

interface Share {
  weight: number
  /** Weights by key. */
  readonly keys: Map<string, number>
}

export function createOwnerShares(): OwnerShares {
  const shares = new Map<string | undefined, Share>()
  const oldest = (share: Share | undefined): string | undefined => share?.keys.keys().next().value
  const remove = (owner: string | undefined, key: string): void => {
    const share = shares.get(owner)
    const weight = share?.keys.get(key)
    if (!share || weight === undefined) return
    share.weight -= weight
    share.keys.delete(key)
    if (share.keys.size === 0) shares.delete(owner)
  }
  return {
    add(owner, key, weight) {
      remove(owner, key)
      const share = shares.get(owner) ?? { weight: 0, keys: new Map<string, number>() }
      share.weight += weight
      share.keys.set(key, weight)
      shares.set(owner, share)
    },
    delete: remove,
    of(owner) {
      const share = shares.get(owner)
      return { weight: share?.weight ?? 0, oldest: oldest(share) }
    },
    get next() {
      let most: Share | undefined
      for (const share of shares.values()) if (!most || share.weight > most.weight) most = share
      return oldest(most)
    },
  }
}
