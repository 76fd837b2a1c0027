/** For each rule that refuses a change, what to do instead. */
const VALUES_TAKEN =
  'Go on taking what callers have sent so far, and refuse in the handler, with a problem that is declared, what cannot be done.'
const VALUES_SENT = 'Go on sending what readers know, and put what is new into a field of its own.'
const VALUES_HELD = 'Take what was published before, too: make the field optional or give it a default, and widen what it may be.'

const ADVICE: Readonly<Record<string, string>> = {
  'operation-removed':
    'Keep it, deprecated, and take it away with a new major version when nobody calls it any more: skerry contract callers tells.',
  'route-changed': 'Keep this operation as it is, and declare another beside it with the new route.',
  'status-changed': 'Keep the status, or declare another operation beside this one.',
  'not-public': 'Keep it public until nobody outside calls it.',
  'not-idempotent': 'Keep it idempotent: the platform keeps the first answer for operations that are declared so.',
  'deadline-changed': 'Callers can ask for less themselves; the operation should go on allowing what it did.',
  'scope-required': 'Ask for the scope in a new operation, or grant it to every caller before it is required.',
  'output-removed': 'Go on answering with the body, or declare another operation beside this one.',
  'problem-added': 'Answer with a problem that callers know, or declare another operation beside this one.',
  'problem-status-changed': 'Keep the status; callers decide by it.',
  'problem-data-removed': 'Go on sending the particulars.',
  'event-removed': 'Go on publishing it until nobody consumes it.',
  'event-version-changed': 'Publish the new version as an event of another name beside this one, until nobody consumes the old one.',
  'event-key-changed': 'The order of what is under way would be lost: publish it under another name, with the new key, beside this one.',
  'event-binding-changed': 'Foreign consumers read from the queue: leave it as it is, and declare another event for a new one.',
  'input-must-be-there': 'Go on taking a request without input.',
  'input-read-as': 'Keep the type, and put what is new into a field of its own.',
  'input-required': 'Make the field optional, or give it a default that means what callers meant who did not know it.',
  'input-default': 'Keep the default: callers that leave the field out rely on what it means.',
  'input-unknown-field': 'Go on ignoring fields that are not known any more.',
  'input-enum': 'Go on taking every choice there was; the handler may treat one as another.',
  'output-required': 'Go on sending the field; it may be empty where its type allows it.',
  'output-enum': 'Send one of the choices that readers know, and say the rest in a field of its own.',
  'output-unknown-field':
    'Readers were told that there would be no others: declare another operation, or stop refusing unknown fields a version before.',
  'event-required': 'Go on sending the field.',
  'event-enum': 'Send one of the choices that consumers know, or publish another event beside this one.',
  'saga-steps-changed':
    'Instances that are under way go on with the steps they began with: restore them, and put the change in the next version of the saga.',
  'saga-version-removed': 'Keep it in `sagas` beside the new version until no instance of it is under way.',
  'migration-changed': 'Restore the file: it has been applied. Put the change in a new migration.',
  'migration-removed': 'Restore the file: new databases need it, too.',
}

/** What to do instead of a change that a rule refuses. */
export function adviceFor(rule: string): string {
  const own = ADVICE[rule]
  if (own !== undefined) return own
  if (rule.startsWith('input-')) return VALUES_TAKEN
  if (rule.startsWith('held-event-')) return VALUES_HELD
  return VALUES_SENT
}
