import { h, type VNode } from 'vue'
import type { Theme } from 'vitepress'
import DefaultTheme from 'vitepress/theme'
import runLog from './run-log.svg?raw'
import './style.css'

/** The picture stands in the page, so that it follows the page's light and dark. */
const picture = (): VNode => h('figure', { class: 'run-log', innerHTML: runLog })

const theme: Theme = {
  extends: DefaultTheme,
  Layout: () => h(DefaultTheme.Layout, null, { 'home-hero-image': picture }),
  enhanceApp({ app }) {
    app.component('RunLog', picture)
  },
}

export default theme
