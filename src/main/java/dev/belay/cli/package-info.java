/**
 * The command line: one picocli class per command, thin: parse, call, print. Options that commands share are mixins. Results go to
 * stdout, as a table or with {@code --json} as one JSON object; progress and errors go to stderr. The exit code is 0 only on success,
 * 2 for a command line that cannot be understood, 1 for every other failure.
 */
package dev.belay.cli;
