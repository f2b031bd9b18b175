package dev.belay.cli;

import dev.belay.run.ShardMerge;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code belay merge}: the output of a run from its shards. */
@Command(
        name = "merge",
        mixinStandardHelpOptions = true,
        description = {
            "Puts the outputs of --shard 1/N to N/N together: that of the whole run, bit for bit.",
            "Run it where the shards ran: model, probe and data must be found under the same names."
        },
        footer = {"", "Example: belay merge part1.jsonl part2.jsonl part3.jsonl -o traces.jsonl"})
final class MergeCommand implements Callable<Integer> {
    @Parameters(arity = "1..*", paramLabel = "SHARD", description = "outputs of all shards, in any order")
    private List<Path> shards;

    @Option(names = "-o", paramLabel = "OUTPUT", required = true, description = "output file")
    private Path output;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        List<String> arguments = ShardMerge.journal(shards, output);
        arguments.addAll(List.of("--resume", "--assemble", "-o", output.toString()));
        int code = RootCommand.run(spec.commandLine().getOut(), RootCommand.escaped(arguments));
        if (code != 0) {
            ShardMerge.discard(output);
        }
        return code;
    }
}
