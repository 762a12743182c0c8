import { playShard } from './schedule-play.ts'

playShard(2)
