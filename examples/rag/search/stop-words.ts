/** Words that say nothing of what a question is about. A question of nothing else has no terms and finds nothing. */
const words = `
a about after all also am an and any are as at be because been before but by can could did do does doing done for from get
give go got had has have having he hello her here hi him his how i i'd i'll i'm i've if in into is it it's its just know
let like many may me might more much must my no not of on one or our ours out over own please say she should show so
some tell than thank thanks that the their them then there these they thing this those to too up us very want was we
were what what's when where which while who whom whose why will with would yes you your yours
一下 一个 一些 不 个 为 为什么 为何 么 之 也 了 些 什么 今 从 他 他们 以 会 你 你们 你好 使 便 做 再 几 几个 到 到底 去 又 及 可
可以 吗 吧 否 告诉 呢 和 哪 哪些 哪里 哪儿 啊 在 多 多久 多少 大 她 如何 如果 它 对 就 已 并 应该 得 怎么 怎么办 怎么样 怎样 想
我 我们 或 或者 把 投 按 据 提 是 是不是 是否 最 有 有没有 来 某 此 没 没有 然后 现在 由 的 看 着 知道 给 能 能不能 能否 而 若 被
要 让 讲 请 请问 谁 谢谢 跟 还 还是 这 这个 这些 那 那么 那个 那些 都 里 需要 非 说 问
`

export const stopWords: ReadonlySet<string> = new Set(words.split(/\s+/).filter(Boolean))
