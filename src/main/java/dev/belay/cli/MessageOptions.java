package dev.belay.cli;

import dev.belay.io.Messages;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** What appears on stderr, for every command: what is asked for holds from the moment when it is parsed. */
final class MessageOptions {
    @Option(
            names = "--quiet",
            scope = ScopeType.INHERIT,
            description = "no progress and no notices on stderr, only warnings and errors")
    private void quiet(boolean quiet) {
        if (quiet) {
            Messages.current().quiet();
        }
    }

    @Option(
            names = "--log-format",
            paramLabel = "FORM",
            scope = ScopeType.INHERIT,
            description = "messages on stderr: text (default), or json, one object a line")
    private void format(Messages.Format format) {
        if (format == Messages.Format.json) {
            Messages.current().json();
        }
    }
}
