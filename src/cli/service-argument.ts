// A service's name on the command line. It is in a file of its own because it loads the policy,
// which not all commands need.
import { Argument } from 'commander';
import { type ServiceName, tryServiceName } from '../policy/index.js';
import { reader } from './options.js';

/** `<service>`, or `[service]` if it may be left out. */
export function serviceArgument(form: '<service>' | '[service]' = '<service>'): Argument {
  return new Argument(form, 'web, or payments/ledger with a namespace').argParser(parseService);
}

export const parseService: (text: string) => ServiceName = reader({
  name: '<service>',
  expected: 'a service name',
  hint: 'names look like web, or payments/ledger with a namespace, in lower case',
  read: tryServiceName,
});
