// Services that do something once and end: a sidecar must not keep them alive.
import type { ComposeProject, ComposeService } from '../project/index.js';
import { toImageName } from './image-name.js';
import type { ServiceSettings } from './settings.js';
import { commandsOf } from './texts.js';

const JOB_IMAGES = /(^|\/)(flyway|liquibase|migrate|atlas|dbmate|goose|mc|aws-cli|curl|wait-for)$/;
const NAME_WORDS =
  'migrat(?:e|ion|ions|or)|init|initializer|seed(?:er)?|setup|bootstrap|create-?\\w*|fixtures|' +
  'provision(?:er)?|loader?|import(?:er)?|installer?|job|oneshot';
const JOB_NAME = new RegExp(`(?:^|[-_.])(?:${NAME_WORDS})(?:[-_.]|$)`, 'i');
const COMMANDS = [
  'manage\\.py (?:migrate|loaddata|collectstatic)',
  'db:(?:migrate|seed|setup|create)',
  'alembic upgrade|flask db upgrade|artisan migrate|diesel migration|sqlx migrate',
  'prisma (?:migrate|db)|sequelize db|knex migrate|typeorm migration',
  'chown|chmod',
  'rs\\.initiate|mc (?:alias|config|mb)|kafka-topics',
];
const JOB_COMMAND = new RegExp(`\\b(?:${COMMANDS.join('|')})\\b`, 'i');

const LOOP = /\b(while|watch|sleep inf|cron|crond)\b|\btail -[fF]|--watch\b/;

/** In words why it is one; undefined where it isn't. */
export function whyJob(
  service: ComposeService,
  { project, settings }: { project: ComposeProject; settings: ServiceSettings },
): string | undefined {
  if (settings.job !== undefined) return settings.job ? 'x-countersign' : undefined;
  const awaited = [...project.services.values()].some((one) => {
    return one.dependsOn.get(service.name) === 'service_completed_successfully';
  });
  if (awaited) return 'others wait for its end';
  if (!mayEnd(service) || commandsOf(service).some(({ text }) => LOOP.test(text))) return undefined;
  if (service.image !== undefined && JOB_IMAGES.test(toImageName(service.image).path)) {
    return 'its image';
  }
  if (JOB_NAME.test(service.name)) return 'its name';
  return commandsOf(service).some(({ text }) => JOB_COMMAND.test(text)) ? 'its command' : undefined;
}

/** Nothing says that it is to stay. */
function mayEnd({ restart, ports, healthcheck, replicas }: ComposeService): boolean {
  const isRestarted = restart === 'always' || restart === 'unless-stopped';
  return !isRestarted && ports.length === 0 && healthcheck === undefined && replicas === 1;
}
