package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.io.FileHash;
import dev.belay.run.Journal;
import dev.belay.run.Run;
import dev.belay.run.Shard;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import picocli.CommandLine.Model.ArgSpec;
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

    /** Which heads are ablated and how: a stage whose result depends on that has it in its name. */
    private static final Set<String> HEADS =
            Set.of("--heads", "--top", "--positions", "--gamma", "--renormalize", "--random-control");

    /** By command the options that only choose among what is in the journal, or what more is computed. */
    private static final Map<String, Set<String>> CHOICES =
            Map.of("ablate", HEADS, "eval", HEADS, "select", Set.of("--top", "--rank", "--seed", "--format"));

    /** Options that name files with texts. */
    private static final Set<String> TEXTS = Set.of("--data", "--ids", "--benign", "--task");

    private static final String BATCH_TOKENS = "--batch-tokens";

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
        ObjectNode header = header(session, batchTokens(session, mode, output));
        more.forEach(header::put);
        return Run.open(output, header, shard(), mode, keep);
    }

    /** Tokens in a batch: what was asked for, or what the run has had before, or what is best here, but the same for all parts. */
    private int batchTokens(Session session, Run.Mode mode, Path output) {
        if (spec.findOption(BATCH_TOKENS).getValue() == null) {
            OptionalInt before = mode == Run.Mode.ANEW ? OptionalInt.empty() : Run.batchTokens(output, shard());
            if (before.isPresent()) {
                session.batchTokensAs(before.getAsInt());
            } else if (!shard().equals(Shard.WHOLE)) {
                session.batchTokensAs(BatchTokens.USUAL);
            }
        }
        return session.batchTokens(textBytes());
    }

    /** Bytes of the files with texts. */
    private long textBytes() {
        return spec.args().stream()
                .filter(arg -> !(arg instanceof OptionSpec option) || TEXTS.contains(option.longestName()))
                .map(ArgSpec::getValue)
                .filter(value -> value instanceof Path file && Files.isRegularFile(file))
                .mapToLong(file -> ((Path) file).toFile().length())
                .sum();
    }

    private ObjectNode header(Session session, int batchTokens) {
        ObjectNode header = Output.object();
        header.put("belay", RootCommand.Version.number()).put("command", spec.name());
        header.put("model", session.fingerprint())
                .put("dtype", session.device().dtype().label())
                .put("device", session.device().arithmetic());
        ObjectNode options = header.putObject("options");
        ObjectNode choices = header.putObject(Journal.CHOICES);
        Set<String> chosen = CHOICES.getOrDefault(spec.name(), Set.of());
        for (OptionSpec option : spec.options()) {
            Object value = option.getValue();
            if (value != null && !FREE.contains(option.longestName())) {
                (chosen.contains(option.longestName()) ? choices : options).put(option.longestName(), text(value));
            }
        }
        options.put(BATCH_TOKENS, Integer.toString(batchTokens));
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
