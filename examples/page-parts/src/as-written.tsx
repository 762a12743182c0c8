import { memo } from 'react'
import './as-written.css'

/** Lines of at least this many characters are one element: as a text grows, only the last is laid out again. */
const pieceChars = 4_000

/** A text as it is written, with nothing parsed. */
export const AsWritten: React.MemoExoticComponent<(props: { readonly text: string }) => React.ReactNode> = memo(
  function AsWritten({ text }: { readonly text: string }) {
    return (
      <div className="as-written" data-testid="as-written">
        {piecesOf(text.replace(/\n+$/, '')).map((piece, index) => (
          // Pieces are only ever appended: the index is what they are.
          // oxlint-disable-next-line react/no-array-index-key
          <Piece key={index} text={piece} />
        ))}
      </div>
    )
  },
)

const Piece = memo(function Piece({ text }: { readonly text: string }) {
  return <div>{text}</div>
})

function piecesOf(text: string): string[] {
  const pieces: string[] = []
  let start = 0
  while (start <= text.length) {
    const end = text.indexOf('\n', start + pieceChars)
    pieces.push(text.slice(start, end === -1 ? undefined : end))
    if (end === -1) break
    start = end + 1
  }
  return pieces
}
