// Which services do something once and end.
import { expect, test } from 'vitest';
import { planServices, serviceOf } from './planned.js';

const ROWS: readonly [what: string, isJob: boolean, job: string, rest?: Record<string, string>][] =
  [
    [
      'others wait for its end',
      true,
      'image: x, restart: on-failure',
      { a: 'image: y, depends_on: { it: { condition: service_completed_successfully } }' },
    ],
    ['an image for jobs', true, 'image: flyway/flyway'],
    ['a command for jobs', true, 'image: x, command: python manage.py migrate --noinput'],
    ['the client of MinIO', true, 'image: minio/mc, entrypoint: ["sh", "-c", "mc mb a/b; exit 0"]'],
    ['settings', true, 'image: x, restart: always, x-countersign: { job: true }'],
    ['settings against the rest', false, 'image: flyway/flyway, x-countersign: { job: false }'],
    ['a loop', false, 'image: curlimages/curl, command: ["sh", "-c", "while :; do curl x; done"]'],
    ['it is restarted', false, 'image: flyway/flyway, restart: unless-stopped'],
    ['it publishes a port', false, 'image: flyway/flyway, ports: ["80:80"]'],
    ['it has a health check', false, 'image: flyway/flyway, healthcheck: { test: "true" }'],
    ['nothing says so', false, 'image: x, command: serve'],
  ];

test.each(ROWS)('%s', async (_, isJob, job, rest = {}) => {
  const plan = await planServices({ it: `${job}, expose: ["9"]`, ...rest });
  expect(serviceOf(plan, 'it').isJob).toBe(isJob);
});

test.each([
  ['db-migrate', true],
  ['init', true],
  ['airflow-init', true],
  ['createbuckets', true],
  ['migrator', true],
  ['initiative', false],
  ['loadbalancer', false],
  ['seedling', false],
  ['web', false],
])('the name %s: %j', async (name, isJob) => {
  expect(serviceOf(await planServices({ [name]: 'image: x, expose: ["9"]' }), name).isJob).toBe(
    isJob,
  );
});

test('a guess is said, with what undoes it', async () => {
  const plan = await planServices({ migrate: 'image: x' });
  expect(serviceOf(plan, 'migrate').remarks).toEqual([
    'It is taken for a job that ends (its name); x-countersign: { job: false } undoes that.',
  ]);
});
