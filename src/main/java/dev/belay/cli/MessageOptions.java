package dev.belay.cli;

import dev.belay.io.Messages;
import picocli.CommandLine;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/** What appears on stderr, for every command: what is asked for holds from the moment when it is parsed. */
final class MessageOptions {
    /** Looks for these options in a command line that cannot be understood: they may be behind what is wrong. */
    static void find(String... args) {
        CommandLine line = new CommandLine(new MessageOptions());
        line.setUnmatchedArgumentsAllowed(true).setCaseInsensitiveEnumValuesAllowed(true);
        try {
            line.parseArgs(args);
        } catch (CommandLine.PicocliException e) {
            // One of these is what is wrong; text says so.
            return;
        }
    }

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
