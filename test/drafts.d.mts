export interface Draft {
  readonly name: string
  /** Two digits. */
  readonly revision: string
}

export type Answer = Draft &
  ({ readonly now: string; readonly reason?: never } | { readonly now?: never; readonly reason: string })

export declare function draftsIn(map: string): readonly Draft[]
export declare function askAbout(
  drafts: readonly Draft[],
  fetchDocument?: (url: string) => Promise<Response>,
): Promise<readonly Answer[]>
export declare function report(answers: readonly Answer[]): {
  readonly lines: readonly string[]
  readonly exitCode: 0 | 1 | 2
}
