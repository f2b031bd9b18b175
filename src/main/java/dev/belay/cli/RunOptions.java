package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.io.FileHash;
import dev.belay.run.Run;
import dev.belay.run.Shard;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** How a long run goes on after an early end. */
class RunOptions {
    /** Options that change no result, that the journal checks text by text, or whose effect the header has. */
    private static final Set<String> FREE = Set.of(
            "-o",
            "--device",
            "--dtype",
            "--json",
            "--profile",
            "--resume",
            "--keep-progress",
            "--assemble",
            "--shard",
            "--data",
            "--ids",
            "--benign",
            "--report",
            "--guard",
            "--limit",
            "--steps",
            "--labels",
            "--quiet",
            "--log-format",
            "--help",
            "--version");

    @Spec(Spec.Target.MIXEE)
    private CommandSpec spec;

    @Option(names = "--resume", description = "go on with a run that ended early or was kept by --keep-progress")
    private boolean resume;

    @Option(names = "--keep-progress", description = "keep OUTPUT.progress: --resume can then extend the finished run")
    private boolean keep;

    @Option(names = "--assemble", hidden = true, description = "compute nothing: everything must be in OUTPUT.progress")
    private boolean assemble;

    /** The part of the run to do. */
    Shard shard() {
        return Shard.WHOLE;
    }

    /** Opens the run that writes {@code output} with the model of {@code session}. */
    Run open(Session session, Path output) {
        return open(session, output, Map.of());
    }

    /**
     * Opens a run that depends on more than the model and the options.
     *
     * @param more what that is by name
     */
    Run open(Session session, Path output, Map<String, String> more) {
        Run.Mode mode = assemble ? Run.Mode.ASSEMBLE : resume ? Run.Mode.RESUME : Run.Mode.ANEW;
        ObjectNode header = header(session);
        more.forEach(header::put);
        return Run.open(output, header, shard(), mode, keep);
    }

    private ObjectNode header(Session session) {
        ObjectNode header = Output.object();
        header.put("belay", RootCommand.Version.number()).put("command", spec.name());
        header.put("model", session.fingerprint())
                .put("device", session.device().arithmetic())
                .put("dtype", session.device().dtype().label());
        ObjectNode options = header.putObject("options");
        for (OptionSpec option : spec.options()) {
            Object value = option.getValue();
            if (value != null && !FREE.contains(option.longestName())) {
                options.put(option.longestName(), text(value));
            }
        }
        List<String> arguments = spec.commandLine().getParent().getParseResult().expandedArgs();
        arguments.forEach(header.putArray("arguments")::add);
        return header;
    }

    private static String text(Object value) {
        if (value instanceof List<?> several && !several.isEmpty() && several.getFirst() instanceof NamedProbe first) {
            // The name of the only probe changes nothing.
            return several.size() == 1
                    ? text(first.file())
                    : String.join(", ", several.stream().map(RunOptions::text).toList());
        }
        if (value instanceof NamedProbe probe) {
            return probe.name() + " = " + text(probe.file());
        }
        return value instanceof Path file && Files.isRegularFile(file)
                ? "sha256 " + FileHash.of(file)
                : value.toString();
    }

    /** With the choice of a part. */
    static final class Sharded extends RunOptions {
        @Option(
                names = "--shard",
                paramLabel = "I/N",
                converter = Converters.ShardOf.class,
                description = "do only part I of N, to a file for belay merge")
        private Shard shard = Shard.WHOLE;

        @Override
        Shard shard() {
            return shard;
        }
    }
}
