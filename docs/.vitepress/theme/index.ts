import { h, type VNode } from 'vue'
import { useData, type Theme } from 'vitepress'
import DefaultTheme from 'vitepress/theme'
import { inLanguage } from './run-log.ts'
import runLog from './run-log.svg?raw'
import './style.css'

/** The picture stands in the page, so that it follows the page's light and dark. */
const RunLog = (): VNode => h('figure', { class: 'run-log', innerHTML: inLanguage(runLog, useData().lang.value) })

const theme: Theme = {
  extends: DefaultTheme,
  Layout: () => h(DefaultTheme.Layout, null, { 'home-hero-image': () => h(RunLog) }),
  enhanceApp({ app }) {
    app.component('RunLog', RunLog)
  },
}

export default theme
