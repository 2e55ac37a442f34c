// Leaves the words of errors alone: what a caller, a log or a service goes by is the code beside them.

/** Which argument of a call is words. */
const WORDS_OF = { TypeError: 0, refuse: 1, JwsRefused: 1 }

export const strykerPlugins = [
  {
    kind: 'Ignore',
    name: 'messages',
    value: {
      shouldIgnore({ node, parent }) {
        if (node.type !== 'StringLiteral' || !/^(?:Call|New)Expression$/.test(parent.type)) return undefined
        return parent.arguments[WORDS_OF[parent.callee.name]] === node ? 'words of an error' : undefined
      },
    },
  },
]
