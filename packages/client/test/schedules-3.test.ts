import { playShard } from './schedule-play.ts'

playShard(3)
