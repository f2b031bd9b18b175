package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.io.FileHash;
import dev.belay.io.Messages;
import dev.belay.io.OutputFile;
import dev.belay.report.RecordedRun;
import dev.belay.report.RunManifest;
import dev.belay.weights.ModelFingerprint;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;

/** {@code belay rerun}: the same command again, and whether the same comes out. */
@Command(
        name = "rerun",
        mixinStandardHelpOptions = true,
        description = {
            "Runs a run again and says whether its outputs are the same bytes.",
            "The command line is that of the manifest in the page of --report, or in the folder of belay demo. First the hashes "
                    + "of model and data are checked, and what changed is named. Nothing that the run wrote is touched."
        },
        footer = {"", "Example: belay rerun runs/demo"})
final class RerunCommand implements Callable<Integer> {
    /** Options that say how a run went on: now it begins anew and is whole. */
    private static final Set<String> DROPPED = Set.of("--resume", "--keep-progress", "--assemble", "--json", "--quiet");

    @Parameters(index = "0", paramLabel = "RUN", description = "page, manifest, or run folder of the demo")
    private Path recorded;

    @Option(names = "--out", paramLabel = "DIR", description = "keep the new outputs in this folder")
    private Path folder;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        RecordedRun run = RecordedRun.read(recorded);
        CommandSpec command = command(run);
        List<String> changes = changes(run);
        changes.forEach(what -> Messages.current().warning(what + " is not what it was when the run read it"));
        String version = RunManifest.start("rerun").version();
        if (!version.equals(run.version())) {
            Messages.current().warning("the run was of belay " + run.version() + ", this is " + version);
        }
        return folder == null ? temporary(run, command, changes) : again(run, command, changes, folder);
    }

    /** The models and files that are no longer what the run read; one that is not there is an error. */
    private static List<String> changes(RecordedRun run) {
        List<String> changes = new ArrayList<>();
        run.models().forEach((model, fingerprint) -> {
            check(run, model, Files.isDirectory(model));
            if (!ModelFingerprint.of(model).equals(fingerprint)) {
                changes.add("model " + model);
            }
        });
        run.inputs().forEach((input, sha256) -> {
            // A device or a pipe might never end.
            check(run, input, Files.isRegularFile(input));
            if (!FileHash.of(input).equals(sha256)) {
                changes.add(input.toString());
            }
        });
        return changes;
    }

    private static void check(RecordedRun run, Path input, boolean there) {
        if (!there) {
            String hint = input.isAbsolute()
                    ? ""
                    : "; the run was in the folder " + run.directory() + ": start belay rerun there";
            throw new BelayException(input + ", which the run of " + run.file() + " read, is not there" + hint);
        }
    }

    private int temporary(RecordedRun run, CommandSpec command, List<String> changes) {
        try {
            Path place = Files.createTempDirectory("belay-rerun");
            try {
                return again(run, command, changes, place);
            } finally {
                delete(place);
            }
        } catch (IOException e) {
            throw new BelayException("cannot keep the new outputs: " + OutputFile.reason(e), e);
        }
    }

    private static void delete(Path place) throws IOException {
        try (Stream<Path> files = Files.walk(place)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    /** The recorded command: one that has a page, as others may write where no option says. */
    private static CommandSpec command(RecordedRun run) {
        try {
            CommandLine.ParseResult parsed =
                    RootCommand.withAllCommands().parseArgs(RootCommand.escaped(run.arguments()));
            while (parsed.hasSubcommand()) {
                parsed = parsed.subcommand();
            }
            CommandSpec spec = parsed.commandSpec();
            if (spec.findOption("--report") != null || spec.name().equals("demo")) {
                return spec;
            }
            throw new BelayException(run.file() + ": " + spec.qualifiedName() + " is no command with a page");
        } catch (ParameterException e) {
            throw new BelayException(run.file() + ": this Belay does not know its command line: " + e.getMessage(), e);
        }
    }

    private int again(RecordedRun run, CommandSpec command, List<String> changes, Path place) {
        List<String> arguments = arguments(run.arguments(), command, place);
        int code = RootCommand.run(new PrintWriter(Writer.nullWriter()), RootCommand.escaped(arguments));
        if (code != 0) {
            return code;
        }
        ObjectNode result = Output.object().put("run", run.file().toString());
        changes.forEach(result.putArray("changed")::add);
        ArrayNode outputs = result.putArray("outputs");
        boolean same = true;
        for (Map.Entry<Path, String> output : run.outputs().entrySet()) {
            Path name = inPlace(output.getKey(), command);
            Path made = place.resolve(name);
            boolean equal = Files.isRegularFile(made) && FileHash.of(made).equals(output.getValue());
            same &= equal;
            outputs.addObject().put("name", name.toString()).put("same", equal);
            out.say("%s: %s", name, equal ? "the same bytes" : "DIFFERS");
        }
        if (run.outputs().isEmpty()) {
            out.say("the run wrote no file that is to be the same again, so there is nothing to compare");
        } else if (!same) {
            String device = run.device().isEmpty() ? "" : "; the run was on " + run.device();
            out.say("not the same%s", changes.isEmpty() ? device : ", as what it read is not: " + changes);
        }
        if (folder != null) {
            out.say("written to %s", folder);
        }
        out.result(result.put("same", same));
        return same ? 0 : 1;
    }

    /** Where in the folder of the new outputs a file of the old ones is found again: below the folder that the command writes. */
    private static Path inPlace(Path output, CommandSpec command) {
        OptionSpec option = command.findOption("-o");
        boolean inFolder = option != null && option.getValue() instanceof Path folder && output.startsWith(folder);
        return inFolder ? name(option).resolve(option.<Path>getValue().relativize(output)) : output.getFileName();
    }

    private static Path name(OptionSpec option) {
        return option.<Path>getValue().toAbsolutePath().normalize().getFileName();
    }

    /** The command line with other places for what it writes. */
    private static List<String> arguments(List<String> recorded, CommandSpec command, Path place) {
        List<String> arguments = new ArrayList<>(recorded);
        List<String> places = new ArrayList<>();
        for (String name : CommandManifest.OUTPUTS) {
            OptionSpec option = command.findOption(name);
            if (option == null || option.getValue() == null) {
                continue;
            }
            remove(arguments, option);
            boolean whole = name.equals("--out");
            places.addAll(List.of(name, (whole ? place : place.resolve(name(option))).toString()));
        }
        arguments.removeIf(DROPPED::contains);
        arguments.addAll(arguments.indexOf(command.name()) + 1, places);
        return arguments;
    }

    private static void remove(List<String> arguments, OptionSpec option) {
        for (String value : option.originalStringValues()) {
            for (String name : option.names()) {
                arguments.removeAll(List.of(name + "=" + value, name + value));
                int at = arguments.indexOf(name);
                if (at >= 0
                        && at + 1 < arguments.size()
                        && arguments.get(at + 1).equals(value)) {
                    arguments.subList(at, at + 2).clear();
                }
            }
        }
    }
}
