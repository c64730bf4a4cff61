export { ClockWatch, clockSchema } from './clock-watch.js';
