import { argv, log, memoryUsage } from 'host:process';

log(`hello ${argv.slice(1).join(' ')} ${memoryUsage().residentBytes > 0}`);
