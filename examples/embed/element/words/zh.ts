import type { Words } from './words.ts'

export const zh: Words = {
  heading: '聊天',
  greeting: '你好！尽管问，随时可以打断。',
  placeholder: '你的问题……',
  you: '你',
  assistant: '助手',
  unread: '有新回答',
  close: '关闭',
  clear: '新对话',
  send: '发送',
  stop: '停止',
  continue: '继续',
  retry: '重试',
  note: {
    waiting: '等待回答……',
    reconnecting: '正在重新连接……',
    stopped: '已停止',
    at_limit: '已达长度上限',
    unreachable: '现在连不上聊天服务。',
    too_long: '内容太长了，请开始新对话。',
    failed: '这个回答没能写完，请稍后重试。',
  },
}
