export { Intake } from './intake.js';
export { Statistics, type StatisticsView } from './statistics.js';
