import { type Command, Option } from 'commander';
import type { Context } from '../../terminal/index.js';
import { durationOption, jsonOption, reader, serverOptions, toExample } from '../options.js';
import { type ServiceCount, type WaitOptions, waitInForce } from '../wait-in-force.js';

const COUNT = /^\d{1,6}$/;

export function define(command: Command, context: Context): void {
  command
    .addOption(
      durationOption({
        flags: '--timeout <duration>',
        name: '--timeout',
        description: 'give up after this long',
        fallback: '60s',
        range: ['0s', '7d'],
      }),
    )
    .addOption(
      new Option('--proxies <n>', 'until at least so many are connected and have it').argParser(
        reader({
          name: '--proxies',
          expected: 'a number',
          read: (text) => (COUNT.test(text) ? Number(text) : undefined),
        }),
      ),
    )
    .addOption(serviceOption())
    .addOption(jsonOption());
  for (const option of serverOptions()) command.addOption(option);
  command
    .addHelpText(
      'after',
      toExample(
        'countersign wait --timeout 30s && echo in force',
        'countersign wait --proxies 6 --service web=2',
      ),
    )
    .action((options: WaitOptions) => waitInForce(options, context));
}

/** May be given several times. */
function serviceOption(): Option {
  const read = reader({
    name: '--service',
    expected: 'a service and a number of its sidecars',
    hint: 'such as web=2, or payments/ledger=3',
    read: (text): ServiceCount | undefined => {
      const [service = '', number = '', ...more] = text.split('=');
      const isRight = service !== '' && COUNT.test(number) && more.length === 0;
      return isRight ? { service, count: Number(number) } : undefined;
    },
  });
  const description = 'until at least so many of a service have it; may be given several times';
  return new Option('--service <name=n>', description).argParser(
    (text: string, before: readonly ServiceCount[] = []) => [...before, read(text)],
  );
}
