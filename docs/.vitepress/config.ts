import { defineConfig, type DefaultTheme, type UserConfig } from 'vitepress'
import { entries } from '../build/entries.ts'
import { siteLinks } from './site-links.ts'

const guides: readonly (readonly [page: string, title: string])[] = [
  ['express', 'Into an Express app'],
  ['app', 'Users, prompts and a database'],
  ['react', 'Into a React app'],
  ['model-servers', 'In front of your model server'],
  ['interrupt', 'Interrupt and follow-up'],
  ['recovery', 'Reconnect and recovery'],
  ['nginx', 'Behind nginx'],
  ['custom-server', 'A server from the parts'],
  ['dialect', 'A dialect of your own'],
  ['upstream', 'Write an upstream'],
  ['testing', 'Test with the fault kit'],
  ['ai-sdk', 'Move here from useChat'],
]

const sidebar: DefaultTheme.SidebarItem[] = [
  { text: 'Guides', items: guides.map(([page, text]) => ({ text, link: `/guide/${page}` })) },
  {
    text: 'Reference',
    items: [
      { text: 'Options and defaults', link: '/reference/options' },
      { text: 'The wire', link: '/reference/wire' },
      { text: 'The design', link: '/design' },
    ],
  },
  {
    text: 'API',
    collapsed: true,
    items: entries.map(({ name }) => ({ text: name, link: `/api/${name}` })),
  },
  {
    text: 'Project',
    items: [
      { text: 'Compared with', link: '/compare' },
      { text: 'Speed and size', link: '/bench' },
      { text: 'Contributing', link: '/contributing' },
    ],
  },
]

/** Where the site is mounted: `/`, or a folder such as `/midstream/`. @throws {TypeError} When it is none. */
const base = process.env['DOCS_BASE'] ?? '/'
if (!/^\/([\w.~-]+\/)*$/.test(base)) throw new TypeError(`DOCS_BASE must begin and end with a slash: ${base}`)

const config: UserConfig<DefaultTheme.Config> = defineConfig({
  title: 'Midstream',
  description: 'Streaming LLM chat that people can interrupt',
  lang: 'en',
  base,
  // The one link to which VitePress does not add the base.
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `${base}favicon.svg` }]],
  // Tables that pages include; they are no pages.
  srcExclude: ['generated/**', 'README.md'],
  locales: {
    root: { label: 'English', lang: 'en' },
    zh: {
      label: '简体中文',
      lang: 'zh-CN',
      link: '/zh/',
      description: '可以随时打断的大模型流式对话',
      themeConfig: {
        nav: [
          { text: '指南', link: '/zh/guide/express' },
          { text: '选项（英文）', link: '/reference/options' },
        ],
        sidebar: [
          {
            text: '指南',
            items: [
              { text: '接入 Express', link: '/zh/guide/express' },
              { text: '其余指南（英文）', link: '/guide/react' },
            ],
          },
        ],
        outline: { label: '本页内容' },
        docFooter: { prev: '上一页', next: '下一页' },
        darkModeSwitchLabel: '深浅色',
        sidebarMenuLabel: '目录',
        returnToTopLabel: '回到顶部',
        langMenuLabel: '切换语言',
      },
    },
  },
  themeConfig: {
    nav: [
      { text: 'Guides', link: '/guide/express', activeMatch: '^/guide/' },
      { text: 'Options', link: '/reference/options' },
      { text: 'Wire', link: '/reference/wire' },
      { text: 'Compared', link: '/compare' },
    ],
    sidebar,
    outline: { level: [2, 3] },
    // Not every page is there in Chinese: the menu leads to the start page.
    i18nRouting: false,
    // In the built files, no service.
    search: {
      provider: 'local',
      options: {
        locales: {
          zh: {
            translations: {
              button: { buttonText: '搜索', buttonAriaLabel: '搜索' },
              modal: {
                noResultsText: '没有找到',
                resetButtonTitle: '清除',
                footer: { selectText: '打开', navigateText: '切换', closeText: '关闭' },
              },
            },
          },
        },
      },
    },
  },
  markdown: { theme: { light: 'github-light-high-contrast', dark: 'github-dark' }, config: (md) => siteLinks(md) },
})

export default config
