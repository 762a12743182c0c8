import { expect, test } from 'vitest'
import { readConfig, readFlags } from '../src/config.ts'

const aesKey = 'a'.repeat(43)

test('config: the environment names the platforms, and the rest has defaults', () => {
  expect(readConfig({})).toEqual({
    port: 8_787,
    host: '127.0.0.1',
    language: 'zh',
    upstream: undefined,
    dingtalk: undefined,
    wecom: undefined,
  })
  const config = readConfig({
    BOT_PORT: '0',
    BOT_OLLAMA_URL: 'http://127.0.0.1:11434/',
    BOT_MODEL: 'qwen3:32b',
    DINGTALK_CLIENT_ID: 'id',
    DINGTALK_CLIENT_SECRET: ' secret ',
    DINGTALK_UPDATE_MS: '2000',
    WECOM_TOKEN: 'token',
    WECOM_AES_KEY: aesKey,
    WECOM_ROBOT_NAME: '@Ops Robot',
  })
  expect(config.upstream).toEqual({ url: 'http://127.0.0.1:11434', model: 'qwen3:32b' })
  expect(config.dingtalk).toMatchObject({ clientId: 'id', clientSecret: 'secret', updateMs: 2_000 })
  expect(config.wecom).toEqual({ token: 'token', aesKey, robotName: 'Ops Robot' })
})

test.for([
  [{ DINGTALK_CLIENT_ID: 'id' }, 'DINGTALK_CLIENT_SECRET is missing'],
  [{ DINGTALK_CLIENT_SECRET: 'hush' }, 'DINGTALK_CLIENT_ID is missing'],
  [{ WECOM_AES_KEY: aesKey }, 'WECOM_TOKEN is missing'],
  [{ WECOM_TOKEN: 'hush', WECOM_AES_KEY: 'hush' }, 'WECOM_AES_KEY must be the 43 letters'],
  [{ BOT_MODEL: 'qwen3:32b' }, 'BOT_OLLAMA_URL is missing'],
  [{ BOT_OLLAMA_URL: 'file:///etc', BOT_MODEL: 'm' }, 'BOT_OLLAMA_URL must be an http'],
  [{ BOT_PORT: '70000' }, 'BOT_PORT must be a number up to 65535'],
  [{ BOT_PORT: '-1' }, 'BOT_PORT must be'],
  [{ BOT_LANGUAGE: 'fr' }, 'BOT_LANGUAGE must be zh or en'],
  [{ DINGTALK_CARD_BYTES: '10' }, 'DINGTALK_CARD_BYTES must be 500 or more'],
] as const)('config: %o is refused with its reason, and without a secret', ([env, reason]) => {
  const read = (): unknown => readConfig(env)
  expect(read).toThrow(reason)
  expect(read).not.toThrow('hush')
})

test('flags: serve, demo and help; all else is refused', () => {
  expect(readFlags([])).toBe('serve')
  expect(readFlags(['--help'])).toBe('help')
  expect(readFlags(['--demo'])).toEqual({ demo: 'dingtalk' })
  expect(readFlags(['--demo=wecom'])).toEqual({ demo: 'wecom' })
  expect(() => readFlags(['--demo=slack'])).toThrow('dingtalk or wecom')
  expect(() => readFlags(['--port', '1'])).toThrow(TypeError)
})
